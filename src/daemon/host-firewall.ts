import { lookup } from 'node:dns/promises';
import type { LaunchConfig } from '../config/config.ts';
import { splitAddress } from '../http/listen.ts';
import { Cidr, isIp } from '../model/address.ts';
import { isLoopback, parseEndpoint } from '../model/endpoint.ts';
import { membersOf } from '../model/members.ts';
import { etcdPeerPort, etcdPort, memberClientPort, memberPeerPort } from '../model/ports.ts';
import type { FirewallState } from '../net/firewall-rules.ts';
import { type HostNetwork, outsideLinks, underlayOf } from '../net/host.ts';

/** Ports of etcd for clients and for its members: of one's own, and of that which weavets runs. */
const etcdPorts = [etcdPort, etcdPeerPort, memberClientPort, memberPeerPort];

/** What the firewall's rules are made of before names, peers and exposed addresses are known. */
export function firewallState(config: LaunchConfig, network: HostNetwork): FirewallState {
  const http = [config.statusAddress, config.httpAddress].flatMap((address) =>
    address === null ? [] : splitAddress(address),
  );
  const proxies = (config.proxy ? config.hosts : []).flatMap((host) => {
    const endpoint = parseEndpoint(host);
    return endpoint.kind === 'tcp' ? endpoint : [];
  });
  const local = [...http, ...proxies].filter(({ host }) => isLoopback(host));
  const open = http.filter(({ host }) => !isLoopback(host));
  return {
    outside: outsideLinks(network, underlayOf(network, config.host ?? undefined).link),
    peers: config.store === 'lmdb' ? [] : undefined,
    encryption:
      config.password === null
        ? null
        : { trustedSubnets: config.trustedSubnets.map((subnet) => Cidr.parse(subnet)) },
    dns: null,
    dnsRedirects: [],
    closedPorts: distinct([...open.map(({ port }) => port), ...(config.store === 'lmdb' ? [] : etcdPorts)]),
    loopbackPorts: distinct(local.map(({ port }) => port)),
    storeMembers: [],
    members: memberAddresses(config),
    exposed: [],
    joinOpen: false,
  };
}

/**
 * The members of the etcd that weavets runs, as they were when this host last ran: they must reach each other before
 * any of them can tell who they are now.
 */
function memberAddresses({ store }: LaunchConfig): string[] | null {
  const members = store === 'lmdb' ? [] : membersOf(store).map(splitAddress);
  const own = members.filter(({ host, port }) => isIp(host) && port === memberClientPort);
  return own.length > 0 ? own.map(({ host }) => host) : null;
}

/**
 * The store's members as the rules need them: those on other hosts by their addresses, those on this one by their ports.
 * @param members `host:port`; @param known what {@link firewallState} closes
 */
export async function storeRules(
  members: readonly string[],
  { known, network }: { known: readonly number[]; network: HostNetwork },
): Promise<Pick<FirewallState, 'storeMembers' | 'closedPorts'>> {
  const own = new Set(network.links.flatMap(({ addr_info }) => addr_info.map(({ local }) => local)));
  const storeMembers: { address: string; port: number }[] = [];
  // A host may have come to have a store since its rules began.
  const closedPorts = [...known, ...(members.length > 0 ? etcdPorts : [])];
  for (const { host, port } of members.map(splitAddress)) {
    for (const address of await addressesOf(host)) {
      if (own.has(address) || isLoopback(address)) closedPorts.push(port);
      else storeMembers.push({ address, port });
    }
  }
  return { storeMembers, closedPorts: distinct(closedPorts) };
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIp(host)) return [host];
  // What has no address now can't be reached by containers either; it is asked for again.
  const found = await lookup(host, { family: 4, all: true }).catch(() => []);
  return found.map(({ address }) => address).sort();
}

function distinct(ports: readonly number[]): number[] {
  return [...new Set(ports)].sort((a, b) => a - b);
}
