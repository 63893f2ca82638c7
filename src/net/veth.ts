import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { runOk } from '../lib/exec.ts';
import type { Cidr } from '../model/address.ts';
import { bridgeName, noRouterAdvertisements } from './bridge.ts';
import { type IpBatch, inNetns } from './ip.ts';

/** Name of the interface inside a container. */
export const containerLink = 'ethwe';
/** Above that of every interface of the engine, so that `ip a` lists ethwe behind eth0. */
const containerIndex = 65_536;
const hostPrefix = 'vethwepl';

/** Name of a container's link on the host. */
export function hostLink(pid: number): string {
  return `${hostPrefix}${pid}`;
}

/**
 * The MAC of a container's ethwe: locally administered, made from the container's id, so that it is the same after
 * each restart and known before the link is there.
 */
export function macOf(containerId: string): string {
  const bytes = createHash('sha256').update(containerId).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** What a container is given. */
export interface VethSpec {
  /** of a process in the container's network namespace */
  pid: number;
  mac: string;
  mtu: number;
  cidrs: readonly Cidr[];
  /** 224.0.0.0/4 by ethwe, and only from the container's own subnets */
  multicast: boolean;
}

/**
 * Attaches a container: `vethwepl<pid>` on the bridge, hairpin on, its peer `ethwe` with the addresses in the
 * container's network namespace. Brings what is half there to this state too.
 * @throws WeaveError TOOL_FAILED
 */
export async function attachVeth(ip: IpBatch, spec: VethSpec): Promise<void> {
  const { pid, mac, mtu } = spec;
  const host = hostLink(pid);
  const isNew = !linkExists(host);
  const make = `link add ${host} mtu ${mtu} type veth peer name ${containerLink} index ${containerIndex} address ${mac} mtu ${mtu} netns ${pid}`;
  const filtered = spec.multicast ? dropForeignMulticast(spec, isNew) : Promise.resolve();
  filtered.catch(() => {}); // met below
  // The peer is made in its namespace at once: moving it there would take the kernel 16 ms.
  await ip.runOk([
    ...(isNew ? [make] : []),
    `link set ${host} master ${bridgeName} up`,
    // A container may reach itself by an address that is translated back to it on the bridge.
    `link set ${host} type bridge_slave hairpin on`,
  ]);
  await noRouterAdvertisements(host);
  await runOk(inNetns(pid, ['sysctl', '-qew', ...linkSettings]));
  // Up comes last: it is what the shim waits for.
  await filtered;
  await runOk(inNetns(pid, ['ip', '-batch', '-']), { input: insideLines(spec).join('\n') });
}

/** Takes addresses from a container's ethwe; the link stays. */
export async function removeAddresses(pid: number, cidrs: readonly Cidr[]): Promise<void> {
  const input = cidrs.map((cidr) => `addr del ${cidr} dev ${containerLink}`).join('\n');
  await runOk(inNetns(pid, ['ip', '-force', '-batch', '-']), { input });
}

/** Takes ethwe from a container, if it is there. */
export async function detachVeth(ip: IpBatch, pid: number): Promise<void> {
  if (linkExists(hostLink(pid))) await ip.run([`link del ${hostLink(pid)}`]);
}

/** Pids by which the links on this host are named. */
export async function listVeths(): Promise<number[]> {
  const names = await readdir('/sys/class/net');
  return names
    .filter((name) => name.startsWith(hostPrefix))
    .map((name) => Number(name.slice(hostPrefix.length)));
}

export function linkExists(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`);
}

// Neighbours that moved to another MAC are noticed within seconds; the rest is for clean ends of the link.
const linkSettings = [
  `net.ipv4.conf.${containerLink}.arp_notify=1`,
  // Else the kernel takes a subnet's other addresses away with the first one.
  `net.ipv4.conf.${containerLink}.promote_secondaries=1`,
  `net.ipv4.neigh.${containerLink}.base_reachable_time_ms=5000`,
  `net.ipv4.neigh.${containerLink}.delay_first_probe_time=2`,
  `net.ipv4.neigh.${containerLink}.ucast_solicit=1`,
  `net.ipv6.conf.${containerLink}.accept_ra=0`,
];

function insideLines({ cidrs, mac, multicast }: VethSpec): string[] {
  return [
    ...cidrs.map((cidr) => `addr replace ${cidr} broadcast + dev ${containerLink}`),
    `link set ${containerLink} up`,
    // With arp_notify on, setting the address makes the kernel announce every IP by a gratuitous ARP.
    `link set ${containerLink} address ${mac}`,
    ...(multicast ? [`route replace 224.0.0.0/4 dev ${containerLink} scope link`] : []),
  ];
}

/** Multicast on ethwe is let in only from the subnets that the container is in. */
async function dropForeignMulticast({ pid, cidrs }: VethSpec, isNew: boolean): Promise<void> {
  const on = `-d 224.0.0.0/4 -i ${containerLink}`;
  const lines = [
    '*filter',
    ':WEAVE-MULTICAST - [0:0]',
    ...(isNew ? [`-A INPUT ${on} -j WEAVE-MULTICAST`] : []),
    ...cidrs.map((cidr) => `-A WEAVE-MULTICAST -s ${cidr.subnet} -j RETURN`),
    '-A WEAVE-MULTICAST -j DROP',
    'COMMIT',
    '',
  ];
  await runOk(inNetns(pid, ['iptables-restore', '--noflush', '--wait']), { input: lines.join('\n') });
}
