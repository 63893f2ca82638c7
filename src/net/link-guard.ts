import type { Cidr } from '../model/address.ts';
import { bridgeName, ensureBridge } from './bridge.ts';
import { dnsLinkAddress, ensureDnsLink, hasDnsWay } from './dns-link.ts';
import type { HostNetwork } from './host.ts';
import type { IpBatch } from './ip.ts';
import { isUp, linkEntries, linkExists, linkFile } from './sysfs.ts';
import { hostLink } from './veth.ts';

/** How the host's links are to be. */
export interface LinkWish {
  /** bytes, of the bridge */
  mtu: number;
  /** of the bridge */
  mac: string;
  /** pids by which the links of attached containers are named */
  pids: readonly number[];
  /** those of them that are looked at closely this time: are they up? */
  close: readonly number[];
  /** the host's own addresses on the network */
  exposed: readonly Cidr[];
  /** whether containers ask for names at the bridge */
  dns: boolean;
}

/**
 * Puts right what others have done to the bridge, to its ports towards containers, and to the host's addresses on it.
 * @param network as it is now
 * @returns what was wrong, in words; empty: nothing
 */
export async function repairLinks(ip: IpBatch, wish: LinkWish, network: HostNetwork): Promise<string[]> {
  const wrong = bridgeFaults(wish);
  if (wrong.length > 0) {
    // One that was made anew has another number, and the tool remembers that of the former.
    if (!linkExists(bridgeName)) await ip.renew();
    await ip.run([`link set ${bridgeName} address ${wish.mac}`]);
    await ensureBridge(ip, wish);
  }
  const lost = lostPorts(wish);
  for (const port of lost) {
    // One whose container has just ended is no failure.
    await ip.run([
      `link set ${port} master ${bridgeName} up`,
      `link set ${port} type bridge_slave hairpin on`,
    ]);
  }
  wrong.push(...lost.map((port) => `${port} was down, or had left the bridge`));
  const addresses = network.links
    .filter(({ ifname }) => ifname === bridgeName)
    .flatMap(({ addr_info }) => addr_info.map(({ local }) => local));
  if (wish.dns && (!addresses.includes(dnsLinkAddress) || !(await hasDnsWay()))) {
    wrong.push('the way to our name server on the bridge had gone');
    await ensureDnsLink(ip);
  }
  const gone = wish.exposed.filter(({ address }) => !addresses.includes(address));
  for (const cidr of gone) await ip.runOk([`addr replace ${cidr} broadcast + dev ${bridgeName}`]);
  return [...wrong, ...gone.map(({ address }) => `${address} had gone from the bridge`)];
}

function bridgeFaults({ mtu, mac }: LinkWish): string[] {
  if (!linkExists(bridgeName)) return ['the bridge had gone'];
  return [
    ...(isUp(bridgeName) ? [] : ['the bridge was down']),
    ...(linkFile(bridgeName, 'address') === mac ? [] : ["the bridge's MAC was another"]),
    ...(Number(linkFile(bridgeName, 'mtu')) === mtu
      ? []
      : [`the bridge's MTU was ${linkFile(bridgeName, 'mtu')}`]),
  ];
}

/** Links of containers that are not, or not up, on the bridge. */
function lostPorts({ pids, close }: LinkWish): string[] {
  const ports = new Set(linkEntries(bridgeName, 'brif'));
  const away = pids.map(hostLink).filter((link) => !ports.has(link));
  const down = close.map(hostLink).filter((link) => ports.has(link) && !isUp(link));
  // A link that is not there at all is for the container's attachment to put right.
  return [...away, ...down].filter(linkExists);
}
