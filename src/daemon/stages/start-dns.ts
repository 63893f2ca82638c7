import { ContainerAskers } from '../../containers/container-askers.ts';
import { NameServer } from '../../containers/name-server.ts';
import { HostNames } from '../../dns/host-names.ts';
import { NameTable } from '../../dns/names.ts';
import { receiveBuffer } from '../../dns/server.ts';
import { Tuning } from '../../doctor/tuning.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { isOutside } from '../../net/host.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { PreparedHost } from './prepare-host.ts';

/** The names, and who answers for them. */
export interface StartedDns {
  names: NameTable;
  /** told of the hosts once those are there */
  hosts: HostNames;
  /** told of the containers once those are there */
  askers: ContainerAskers;
  /** undefined: DNS is off */
  server: NameServer | undefined;
}

/** Starts the name server on the docker bridge, or where it was told to, and on our own bridge. */
export async function startDns(
  { host, logger, conditions }: Pick<DaemonDeps, 'logger' | 'conditions'> & { host: PreparedHost },
  undo: UndoStack,
): Promise<StartedDns> {
  const { config, ip, firewall, store } = host;
  const names = new NameTable();
  const domain = config.dnsDomain;
  const hosts = new HostNames({ names, domain });
  const askers = new ContainerAskers();
  if (!config.dns) return { names, hosts, askers, server: undefined };
  // By default a socket may hold half a thousand queries: less than come while a busy daemon does something else.
  await new Tuning({ store, logger }).raise('net/core/rmem_max', receiveBuffer);
  const options = {
    domain,
    self: host.peer,
    ttl: config.dnsTtl,
    listen: config.dnsListenAddress,
    dockerBridge: config.dockerBridge,
    resolvConf: process.env.WEAVE_RESOLV_CONF,
    mac: host.bridge.address,
    isOutside: (address: string) => isOutside(address, host.network, host.rules.outside),
  };
  const deps = { ip, firewall, store, names, hosts, askers, conditions, logger };
  const server = await NameServer.start(options, deps);
  undo.push(() => server.close());
  return { names, hosts, askers, server };
}
