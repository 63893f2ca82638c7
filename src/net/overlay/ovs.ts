import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { WeaveError } from '../../lib/errors.ts';
import { run, runOk } from '../../lib/exec.ts';
import { noRouterAdvertisements } from '../bridge.ts';
import type { IpBatch } from '../ip.ts';
import { linkExists } from '../sysfs.ts';
import { vxlanLink } from './vxlan.ts';

/** Name of the Open vSwitch bridge. */
const ovsBridge = 'datapath';
/** The veth between bridge `weave` and the Open vSwitch: the end on the bridge, and the other. */
export const ovsPort = 'vethwe-bridge';
const ovsPortPeer = 'vethwe-datapath';

// Without a timeout, ovs-vsctl waits for a dead ovs-vswitchd for ever.
const vsctl = ['ovs-vsctl', '--timeout=10'] as const;

/**
 * Makes the Open vSwitch `datapath` with the VXLAN link and the veth to the bridge in it, or repairs it: its
 * database outlives a reboot, the links don't. The VXLAN link must be there.
 * @throws WeaveError TOOL_MISSING, TOOL_FAILED when Open vSwitch does not run
 */
export async function ensureOvs(ip: IpBatch, mtu: number): Promise<void> {
  await checkRuns();
  const type = await ensureBridge(mtu);
  await ip.runOk([
    ...(linkExists(ovsPort) ? [] : [`link add ${ovsPort} type veth peer name ${ovsPortPeer}`]),
    `link set ${vxlanLink} nomaster`,
    ...[ovsPort, ovsPortPeer, ovsBridge].map((link) => `link set ${link} mtu ${mtu} up`),
  ]);
  for (const link of [ovsPort, ovsPortPeer, ovsBridge]) await noRouterAdvertisements(link);
  if (type === 'netdev') await noOffload();
  for (const port of [ovsPortPeer, vxlanLink]) await ensurePort(port);
}

/** Removes everything but the VXLAN link. */
export async function removeOvs(ip: IpBatch): Promise<void> {
  if (linkExists(ovsPort)) await ip.run([`link del ${ovsPort}`]);
  // If Open vSwitch isn't running or installed, there is nothing left to remove.
  if (existsSync('/var/run/openvswitch/db.sock'))
    await run([...vsctl, '--if-exists', 'del-br', ovsBridge]).catch(() => {});
}

async function checkRuns(): Promise<void> {
  const start = 'start Open vSwitch (systemctl start openvswitch-switch)';
  const database = await run([...vsctl, 'get-manager']);
  if (database.code !== 0)
    throw new WeaveError('TOOL_FAILED', `ovsdb-server does not answer; ${start}: ${database.stderr.trim()}`);
  const daemon = await run(['ovs-appctl', '--timeout=10', '-t', 'ovs-vswitchd', 'version']);
  if (daemon.code !== 0)
    throw new WeaveError('TOOL_FAILED', `ovs-vswitchd does not answer; ${start}: ${daemon.stderr.trim()}`);
}

/** @returns the kernel's datapath if the kernel has it, as in Weave Net, else Open vSwitch's own */
async function ensureBridge(mtu: number): Promise<'system' | 'netdev'> {
  const type = existsSync('/sys/module/openvswitch') ? 'system' : 'netdev';
  const there = await run([...vsctl, 'get', 'Bridge', ovsBridge, 'datapath_type']);
  const stale = there.code === 0 && there.stdout.trim() !== type;
  const remake = there.code !== 0 || stale;
  await runOk([
    ...vsctl,
    ...(stale ? ['del-br', ovsBridge, '--'] : []),
    ...(remake ? ['add-br', ovsBridge, '--', 'set', 'Bridge', ovsBridge, `datapath_type=${type}`, '--'] : []),
    ...['set', 'Interface', ovsBridge, `mtu_request=${mtu}`],
  ]);
  return type;
}

/**
 * Open vSwitch's own datapath reads frames from sockets, as they are: the kernel must have put in the checksums, and
 * must neither leave segments for a card to cut nor put received ones together.
 */
async function noOffload(): Promise<void> {
  await runOk(['ethtool', '-K', ovsPort, 'tx', 'off']);
  await runOk(['ethtool', '-K', vxlanLink, 'gro', 'off']);
}

/**
 * A port is kept as long as its link is the one that it was made for. Open vSwitch's own idea of the link's index does
 * not tell: it follows the name, while its socket stays on the link that went.
 */
async function ensurePort(port: string): Promise<void> {
  const index = (await readFile(`/sys/class/net/${port}/ifindex`, 'utf8')).trim();
  const known = await run([...vsctl, 'get', 'Interface', port, 'external_ids:weavets-ifindex']);
  if (known.code === 0 && known.stdout.trim().replaceAll('"', '') === index) return;
  // One after the other: it would take both in one transaction for no change.
  await runOk([...vsctl, '--if-exists', 'del-port', port]);
  await runOk([
    ...vsctl,
    ...['add-port', ovsBridge, port],
    ...['--', 'set', 'Interface', port, `external_ids:weavets-ifindex=${index}`],
  ]);
}
