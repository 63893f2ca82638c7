import { WeaveError } from '../lib/errors.ts';
import { Cidr, type Ip, isIp } from '../model/address.ts';
import { bridgeName } from './bridge.ts';
import { queryEach, queryJson } from './ip.ts';
import { linkEntries } from './sysfs.ts';

interface Route {
  /** `default`, `10.0.0.0/8`, `10.0.0.1` */
  dst: string;
  dev?: string;
  prefsrc?: string;
}

interface AddressedLink {
  ifname: string;
  mtu: number;
  addr_info: { family: string; local: string; prefixlen: number; scope: string }[];
}

/** A snapshot of the routes, and of the IPv4 addresses of links that are up. */
export interface HostNetwork {
  links: readonly AddressedLink[];
  routes: readonly Route[];
}

/** The host's own network, where it matters to ours. */
export interface Underlay {
  /** the interface's name; undefined: there is none */
  link: string | undefined;
  /** IPv4 of the interface that the default route goes by, or else of the first that is up; undefined: none */
  address: Ip | undefined;
  /** bytes; 1500 when there is no such interface */
  mtu: number;
}

/**
 * Asks for the links by name: beside hundreds of containers, the kernel takes tens of milliseconds to list all of theirs,
 * which have no IPv4 address here.
 */
export async function readNetwork(): Promise<HostNetwork> {
  const [routes, local] = await Promise.all([
    queryJson<Route>(['ip', '-4', 'route', 'show']),
    queryJson<Route>(['ip', '-4', 'route', 'show', 'table', 'all', 'type', 'local']),
  ]);
  const names = [...new Set(local.flatMap(({ dev }) => dev ?? []))];
  // One that is down is an empty object.
  const links = await queryEach<AddressedLink>(names.map((name) => `addr show up dev ${name}`));
  return { links: links.filter(({ ifname }) => ifname !== undefined), routes };
}

/** A route of the host that overlaps a range, `10.0.0.0/8 dev eth1`; undefined: none. */
export function overlappingRoute(range: Cidr, { routes }: Pick<HostNetwork, 'routes'>): string | undefined {
  for (const { dst, dev } of routes) {
    if (dst === 'default' || dst === '0.0.0.0/0' || dev === bridgeName) continue;
    const net = isIp(dst) ? Cidr.parse(`${dst}/32`) : Cidr.parse(dst);
    if (net.overlaps(range)) return `${dst}${dev ? ` dev ${dev}` : ''}`;
  }
  return undefined;
}

/** First IPv4 address of an interface of the host; undefined: the interface is not there, or has none. */
export async function addressOf(link: string): Promise<string | undefined> {
  const [found] = await queryEach<AddressedLink>([`addr show dev ${link}`]);
  return found?.addr_info?.[0]?.local;
}

/**
 * The interface to the other hosts: the one with the given address, else the default route's.
 * @throws WeaveError LAUNCH_FAILED when no interface that is up has the given address: one may come up yet
 */
export function underlayOf({ links, routes }: HostNetwork, given?: string): Underlay {
  if (given !== undefined) {
    const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === given));
    if (link && isIp(given)) return { link: link.ifname, address: given, mtu: link.mtu };
    throw new WeaveError('LAUNCH_FAILED', `--host: no interface that is up has the address ${given}`);
  }
  const route = routes.find(({ dst }) => dst === 'default');
  const link = links.find(({ ifname }) => ifname === route?.dev);
  const address = route?.prefsrc ?? link?.addr_info.find(({ scope }) => scope === 'global')?.local;
  const usable = address !== undefined && isIp(address) ? address : undefined;
  return { link: link?.ifname, address: usable, mtu: link?.mtu ?? 1500 };
}

/**
 * The links that lead to other hosts: those with an address or a default route, but for bridges without a port to the
 * outside, which are containers'.
 */
export function outsideLinks({ links, routes }: HostNetwork, underlay: string | undefined): string[] {
  const ways = new Set(routes.flatMap(({ dst, dev }) => (dst === 'default' && dev ? [dev] : [])));
  if (underlay !== undefined) ways.add(underlay);
  return links
    .filter(({ ifname, addr_info }) => {
      if (ifname === 'lo' || ifname === bridgeName) return false;
      if (ways.has(ifname)) return true;
      return addr_info.some(({ scope }) => scope === 'global') && !isInnerBridge(ifname);
    })
    .map(({ ifname }) => ifname)
    .sort();
}

/** True for a bridge of which every port leads to a container or a virtual machine. */
function isInnerBridge(link: string): boolean {
  if (!linkEntries(link).includes('bridge')) return false;
  // As all engines name a container's: there may be a thousand, and to list the entries of each takes 30 ms.
  const others = linkEntries(link, 'brif').filter((port) => !port.startsWith('veth'));
  // A card has a device; a bond, or a VLAN on a card, has links below it.
  return others.every((port) =>
    linkEntries(port).every((entry) => entry !== 'device' && !entry.startsWith('lower_')),
  );
}

/** All addresses of the link that has this one, which comes first: a connection may come from any of them. */
export function addressesBeside({ links }: Pick<HostNetwork, 'links'>, address: string): string[] {
  const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === address));
  return [...new Set([address, ...(link?.addr_info.map(({ local }) => local) ?? [])])];
}

/** True for an address on a link to other hosts. */
export function isOutside(address: string, { links }: HostNetwork, outside: readonly string[]): boolean {
  return links.some(
    ({ ifname, addr_info }) => outside.includes(ifname) && addr_info.some(({ local }) => local === address),
  );
}
