import { vxlanPort } from '../../model/ports.ts';
import { bridgeName, noRouterAdvertisements } from '../bridge.ts';
import type { IpBatch } from '../ip.ts';
import { queryJson } from '../ip.ts';

/** Name of the link to all other hosts. */
export const vxlanLink = 'vxlan-6784';

/** Bytes that VXLAN over IPv4 adds: outer IP, UDP and VXLAN headers, inner Ethernet header. */
const vxlanOverhead = 50;
/** Bytes that WireGuard adds at most. */
export const wireguardOverhead = 80;
/** What Weave Net gives its Open vSwitch: it fits any underlay of 1,500 and most of the tunnels under one. */
const ovsMtu = 1376;

/** The link, as it must be. */
export interface VxlanSpec {
  /** VXLAN network identifier, below 2^24; the same on all hosts of a cluster */
  vni: number;
  /** this host's underlay IPv4 */
  local: string;
  mtu: number;
}

/** MTU of the containers' network: the requested one, or what the underlay leaves. All in bytes. */
export function datapathMtu(given: {
  underlay: number;
  asked: number | null;
  kind: 'bridge' | 'ovs';
  encrypted: boolean;
}): number {
  if (given.asked !== null) return given.asked;
  const left = given.underlay - vxlanOverhead - (given.encrypted ? wireguardOverhead : 0);
  return given.kind === 'ovs' ? Math.min(left, ovsMtu) : left;
}

interface VxlanInfo {
  ifname: string;
  linkinfo?: { info_data?: { id?: number; local?: string; port?: number } };
}

/** Makes the VXLAN link, or makes it anew if it is one of another network or address, and brings it up. */
export async function ensureVxlan(ip: IpBatch, { vni, local, mtu }: VxlanSpec): Promise<void> {
  const links = await queryJson<VxlanInfo>(['ip', '-details', 'link', 'show', 'type', 'vxlan']);
  const link = links.find(({ ifname }) => ifname === vxlanLink);
  const info = link?.linkinfo?.info_data;
  const good = info?.id === vni && info.local === local && info.port === vxlanPort;
  await ip.runOk([
    ...(link && !good ? [`link del ${vxlanLink}`] : []),
    // The store says where every MAC is: nothing is learned from frames, which anyone could forge.
    ...(good
      ? []
      : [`link add ${vxlanLink} type vxlan id ${vni} dstport ${vxlanPort} local ${local} nolearning`]),
    `link set ${vxlanLink} mtu ${mtu} up`,
  ]);
  await noRouterAdvertisements(vxlanLink);
}

/**
 * Makes a link the bridge's port towards the other hosts: frames without an entry don't leave by it, except
 * broadcast and multicast, and ARP that the bridge can answer for it stays at home.
 */
export async function ensureOverlayPort(ip: IpBatch, bridge: IpBatch, port: string): Promise<void> {
  await ip.runOk([`link set ${port} master ${bridgeName} up`]);
  await bridge.runOk([
    `link set dev ${port} learning off neigh_suppress on flood off mcast_flood on bcast_flood on`,
  ]);
}

/** The host that frames to a MAC go to, by its underlay address; undefined: there is no entry. */
export async function destinationOf(mac: string): Promise<string | undefined> {
  const entries = await queryJson<{ mac: string; dst?: string }>(['bridge', 'fdb', 'show', 'dev', vxlanLink]);
  return entries.find((entry) => entry.mac === mac && entry.dst !== undefined)?.dst;
}
