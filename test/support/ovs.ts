import type { Host } from './host.ts';

/** Starts Open vSwitch in a host's namespaces. */
export async function startOvs(host: Host): Promise<void> {
  await host.runOk(['mkdir', '-p', '/run/openvswitch']);
  await host.runOk([
    'sh',
    '-c',
    'rm -f /run/openvswitch/conf.db; ovsdb-tool create /run/openvswitch/conf.db',
  ]);
  await host.runOk([
    'ovsdb-server',
    '/run/openvswitch/conf.db',
    '--remote=punix:/run/openvswitch/db.sock',
    '--detach',
    '--pidfile',
    '--no-chdir',
    '--log-file=/var/log/ovsdb.log',
  ]);
  await host.runOk(['ovs-vsctl', '--no-wait', 'init']);
  await startVswitchd(host);
}

export async function startVswitchd(host: Host): Promise<void> {
  await host.runOk([
    'ovs-vswitchd',
    'unix:/run/openvswitch/db.sock',
    '--detach',
    '--pidfile',
    '--no-chdir',
    '--log-file=/var/log/vswitchd.log',
  ]);
}
