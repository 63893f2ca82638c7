import { writeFile } from 'node:fs/promises';
import type { IpBatch } from './ip.ts';
import { queryJson } from './ip.ts';

/** Name of the bridge that all containers' veths are ports of. */
export const bridgeName = 'weave';

/** A link as `ip -json link` shows it. */
export interface Link {
  ifname: string;
  ifindex: number;
  mtu: number;
  /** MAC */
  address: string;
  operstate: string;
}

/** @returns undefined when there is no such link */
export async function findLink(name: string): Promise<Link | undefined> {
  const links = await queryJson<Link>(['ip', 'link', 'show']);
  return links.find((link) => link.ifname === name);
}

/**
 * Makes the bridge, or brings an existing one to this state, and reads it back.
 * @param mac kept for the bridge's life: without it, the bridge would take on the lowest MAC of its ports
 */
export async function ensureBridge(ip: IpBatch, { mtu, mac }: { mtu: number; mac: string }): Promise<Link> {
  if ((await findLink(bridgeName)) === undefined) {
    // Without snooping, multicast floods to all ports: there is no querier on this network.
    await ip.runOk([`link add ${bridgeName} address ${mac} type bridge mcast_snooping 0`]);
  }
  // Containers have IPv6 among each other, and the host has no part in it: what listens there listens by IPv6 too.
  await writeFile(`/proc/sys/net/ipv6/conf/${bridgeName}/disable_ipv6`, '1').catch(() => {});
  // Else the kernel takes a subnet's other exposed addresses away with the first one.
  await writeFile(`/proc/sys/net/ipv4/conf/${bridgeName}/promote_secondaries`, '1');
  await ip.runOk([`link set ${bridgeName} mtu ${mtu} up`]);
  const link = await findLink(bridgeName);
  if (link === undefined) throw new Error(`bridge ${bridgeName} went away while it was set up`);
  return link;
}

/** Removes the bridge and all our veths, wherever their peers are. */
export async function removeBridge(ip: IpBatch): Promise<void> {
  const names = (await queryJson<Link>(['ip', 'link', 'show'])).map((link) => link.ifname);
  const ours = names.filter((name) => name === bridgeName || name.startsWith('vethwe'));
  if (ours.length > 0) await ip.run(ours.map((name) => `link del ${name}`));
}

/** accept_ra 0: no router advertisement from a container may give the host a route. */
export async function noRouterAdvertisements(link: string): Promise<void> {
  // Without IPv6 there is no such file, and nothing to refuse.
  await writeFile(`/proc/sys/net/ipv6/conf/${link}/accept_ra`, '0').catch(() => {});
}
