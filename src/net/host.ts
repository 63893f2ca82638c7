import { WeaveError } from '../lib/errors.ts';
import { Cidr, isIp } from '../model/address.ts';
import { bridgeName } from './bridge.ts';
import { queryJson } from './ip.ts';

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

/** The host's own network, as far as it matters to ours. */
export interface Underlay {
  /** IPv4 of the interface that the default route goes by, or else of the first that is up; undefined: none */
  address: string | undefined;
  /** bytes; 1500 when there is no such interface */
  mtu: number;
}

/** A route of the host that overlaps a range, `10.0.0.0/8 dev eth1`; undefined: none. */
export async function overlappingRoute(range: Cidr): Promise<string | undefined> {
  for (const { dst, dev } of await queryJson<Route>(['ip', '-4', 'route', 'show'])) {
    if (dst === 'default' || dst === '0.0.0.0/0' || dev === bridgeName) continue;
    const net = isIp(dst) ? Cidr.parse(`${dst}/32`) : Cidr.parse(dst);
    if (net.overlaps(range)) return `${dst}${dev ? ` dev ${dev}` : ''}`;
  }
  return undefined;
}

/** First IPv4 address of an interface of the host; undefined: the interface is not there, or has none. */
export async function addressOf(link: string): Promise<string | undefined> {
  const links = await queryJson<AddressedLink>(['ip', '-4', 'addr', 'show']);
  return links.find(({ ifname }) => ifname === link)?.addr_info[0]?.local;
}

/** Every IPv4 address of the host, as CIDR. */
export async function cidrsOf(link: string): Promise<Cidr[]> {
  const links = await queryJson<AddressedLink>(['ip', '-4', 'addr', 'show']);
  const info = links.find(({ ifname }) => ifname === link)?.addr_info ?? [];
  return info.map(({ local, prefixlen }) => Cidr.parse(`${local}/${prefixlen}`));
}

/**
 * The interface that other hosts are reached by: the one with the given address, else the default route's.
 * @throws WeaveError USAGE when no interface that is up has the given address
 */
export async function findUnderlay(given?: string): Promise<Underlay> {
  const [route] = await queryJson<Route>(['ip', '-4', 'route', 'show', 'default']);
  const links = await queryJson<AddressedLink>(['ip', '-4', 'addr', 'show', 'up']);
  if (given !== undefined) {
    const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === given));
    if (link) return { address: given, mtu: link.mtu };
    throw new WeaveError('USAGE', `--host: no interface of this host that is up has the address ${given}`);
  }
  const link = links.find(({ ifname }) => ifname === route?.dev);
  const address = route?.prefsrc ?? link?.addr_info.find(({ scope }) => scope === 'global')?.local;
  return { address, mtu: link?.mtu ?? 1500 };
}
