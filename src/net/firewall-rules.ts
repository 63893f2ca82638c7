import { type Cidr, formatIp, parseIp } from '../model/address.ts';
import {
  heartbeatPort,
  joinPort,
  memberClientPort,
  memberPeerPort,
  vxlanPort,
  wireguardPort,
} from '../model/ports.ts';
import { bridgeName } from './bridge.ts';
import { limitName } from './dns-limit.ts';
import { wireguardLink } from './overlay/wireguard.ts';

/** The rules of one table: our chains in full, and where they are jumped to from. */
export interface Table {
  name: 'filter' | 'nat';
  /** our chains: name to rules as iptables-save prints them, without `-A CHAIN`; undefined: unchanged */
  chains: Readonly<Record<string, readonly string[] | undefined>>;
  /** built-in chain to the jump that must be its first rule */
  jumps: Readonly<Record<string, string>>;
}

/** An exposed address of the host, and what containers may do through it. */
export interface Exposure {
  /** `10.32.0.5/12` subnet form, `10.32.0.0/12` */
  subnet: string;
  masquerade: boolean;
}

/** Where the name server listens, and to whom. */
export interface NameServerRules {
  addresses: readonly string[];
  port: number;
  openToOutside: boolean;
  /** the kernel can limit packets by their source */
  limitsSources: boolean;
}

/** The inputs of the rules. */
export interface FirewallState {
  /** the host's links to other hosts; anything from other links, except lo, is a container's */
  outside: readonly string[];
  /** underlay addresses of the other hosts; undefined: not known yet, so the existing rules stay */
  peers: readonly string[] | undefined;
  /** null: frames between hosts are in clear; else encrypted, except for these subnets */
  encryption: { trustedSubnets: readonly Cidr[] } | null;
  /** where the name server listens; null: none */
  dns: NameServerRules | null;
  /** addresses that containers query, and the servers that answer for them */
  dnsRedirects: readonly { from: string; to: string }[];
  /** our TCP ports on the host, closed to containers */
  closedPorts: readonly number[];
  /** our TCP ports for this host alone, on 127.0.0.0/8 */
  loopbackPorts: readonly number[];
  /** store members on other hosts, also closed to containers */
  storeMembers: readonly { address: string; port: number }[];
  /** addresses of the members of the etcd that weavets runs, which talk to each other; null: it runs none */
  members: readonly string[] | null;
  exposed: readonly Exposure[];
  /** hosts that join may ask here */
  joinOpen: boolean;
}

/** Chain of the other hosts' addresses; those of its branches begin with {@link peerBranch}. */
export const peerChain = 'WEAVE-PEERS';
export const peerBranch = 'WEAVE-P-';

const reject = '-j REJECT --reject-with icmp-port-unreachable';
/**
 * What one source sends the name server beyond this is dropped before it takes room in the server's socket, which is
 * the same for all: a thousand a second, as cloud providers allow a machine, and at once as many as fit into the socket
 * of a host as it comes.
 */
const perSource = `-m hashlimit --hashlimit-above 1000/sec --hashlimit-burst 500 --hashlimit-mode srcip --hashlimit-name ${limitName}`;
const udp = (ports: string) => `-p udp -m udp --dport ${ports}`;
const tcp = (ports: string | number) => `-p tcp -m tcp --dport ${ports}`;
const either = [udp, (ports: string) => tcp(ports)];
const carried = `${heartbeatPort}:${vxlanPort}`;
const memberPorts = `${memberClientPort}:${memberPeerPort}`;
const overlayPorts = `${heartbeatPort}:${wireguardPort}`;

/** All of weavets' rules on a host; docs/security.md explains them. Everything is closed unless opened here. */
export function tablesOf(state: FirewallState): Table[] {
  return [
    {
      name: 'filter',
      jumps: { INPUT: '-j WEAVE-INPUT', FORWARD: '-j WEAVE-FORWARD', OUTPUT: '-j WEAVE-OUTPUT' },
      chains: {
        'WEAVE-INPUT': inputRules(state),
        'WEAVE-OUTSIDE': state.dns && !state.dns.openToOutside ? dnsRules(state.dns, '-j DROP') : [],
        'WEAVE-OUTPUT': outputRules(state),
        'WEAVE-FORWARD': forwardRules(state),
        'WEAVE-EXPOSE': state.exposed.flatMap(({ subnet }) => [
          `-s ${subnet} -i ${bridgeName} -j ACCEPT`,
          `-d ${subnet} -o ${bridgeName} -j ACCEPT`,
        ]),
        ...(state.peers ? peerChains(state.peers) : { [peerChain]: undefined }),
      },
    },
    {
      name: 'nat',
      jumps: { PREROUTING: '-j WEAVE-DNS', POSTROUTING: '-j WEAVE' },
      chains: {
        'WEAVE-DNS': redirectRules(state),
        WEAVE: state.exposed
          .filter(({ masquerade }) => masquerade)
          .flatMap(({ subnet }) => [
            `-s ${subnet} -d 224.0.0.0/4 -j RETURN`,
            `! -s ${subnet} -d ${subnet} -o ${bridgeName} -j MASQUERADE`,
            `-s ${subnet} ! -d ${subnet} ! -o ${bridgeName} -j MASQUERADE`,
          ]),
      },
    },
  ];
}

/**
 * The same for IPv6, of which nothing here takes part: what else listens on all addresses, as etcd may, is closed to
 * containers by that way too.
 */
export function tables6Of({ outside, closedPorts }: FirewallState): Table[] {
  const rejected = '-j REJECT --reject-with icmp6-port-unreachable';
  return [
    {
      name: 'filter',
      jumps: { INPUT: '-j WEAVE-INPUT' },
      chains: {
        'WEAVE-INPUT': [
          ...['lo', ...outside].map((link) => `-i ${link} -j RETURN`),
          ...closedPorts.map((port) => `${tcp(port)} ${rejected}`),
        ],
      },
    },
  ];
}

function inputRules(state: FirewallState): string[] {
  const { outside, encryption, dns, closedPorts, loopbackPorts, members, joinOpen } = state;
  return [
    // Other hosts' frames come first, being the most. Accepted here, as the host's own policy may be DROP.
    ...overlayRules(outside, encryption),
    ...(joinOpen ? outside.map((link) => `-i ${link} ${tcp(joinPort)} -j ACCEPT`) : []),
    // UDP and TCP, as Weave Net's HTTP API is on 6784/tcp of loopback.
    ...either.map((of) => `-i lo ${of(overlayPorts)} -j ACCEPT`),
    ...either.map((of) => `${of(overlayPorts)} -j DROP`),
    ...(dns ? dnsRules(dns, '-i lo', '-j ACCEPT') : []),
    '-i lo -j RETURN',
    ...(dns?.limitsSources ? dnsRules(dns, `${perSource} -j DROP`) : []),
    // The engine may make the kernel route 127.0.0.0/8 between links.
    ...loopbackPorts.map((port) => `-d 127.0.0.0/8 ${tcp(port)} -j DROP`),
    ...(members ? outside.flatMap((link) => memberRules(link, members)) : []),
    ...[...outside, ...(encryption ? [wireguardLink] : [])].map((link) => `-i ${link} -g WEAVE-OUTSIDE`),
    ...(dns ? dnsRules(dns, '-j ACCEPT') : []),
    ...closedPorts.map((port) => `${tcp(port)} ${reject}`),
  ];
}

/** The host's own policy may be to let nothing out: frames to other hosts and answers about names go all the same. */
function outputRules({ outside, encryption, dns }: FirewallState): string[] {
  const links = [...outside, ...(encryption ? [wireguardLink] : [])];
  return [
    ...links.map((link) => `-o ${link} ${udp(overlayPorts)} -j ACCEPT`),
    ...(dns?.addresses ?? []).flatMap((address) =>
      [`-p udp -m udp`, `-p tcp -m tcp`].map((of) => `-s ${address}/32 ${of} --sport ${dns?.port} -j ACCEPT`),
    ),
  ];
}

/** Who may send frames into the network: other hosts by address, in clear only where intended. */
function overlayRules(outside: readonly string[], encryption: FirewallState['encryption']): string[] {
  const peers = `-j ${peerChain}`;
  if (encryption === null) return outside.map((link) => `-i ${link} ${udp(carried)} ${peers}`);
  return [
    `-i ${wireguardLink} ${udp(carried)} ${peers}`,
    ...outside.flatMap((link) => [
      `-i ${link} ${udp(`${wireguardPort}`)} ${peers}`,
      ...encryption.trustedSubnets.map(({ subnet }) => `-s ${subnet} -i ${link} ${udp(carried)} ${peers}`),
    ]),
  ];
}

/** Who may be a member of etcd beside this host; clients show certificates, and come from anywhere. */
function memberRules(link: string, members: readonly string[]): string[] {
  const on = `-i ${link} ${tcp(memberPeerPort)}`;
  return [...members.map((address) => `-s ${address}/32 ${on} -j ACCEPT`), `${on} -j DROP`];
}

function dnsRules(dns: NameServerRules, ...parts: string[]): string[] {
  const target = parts.at(-1);
  const from = parts
    .slice(0, -1)
    .map((part) => `${part} `)
    .join('');
  return dns.addresses.flatMap((address) =>
    either.map((of) => `-d ${address}/32 ${from}${of(`${dns.port}`)} ${target}`),
  );
}

/** Containers query an address that the host no longer has, or where nobody listens. */
function redirectRules({ outside, dnsRedirects }: FirewallState): string[] {
  if (dnsRedirects.length === 0) return [];
  return [
    ...outside.map((link) => `-i ${link} -j RETURN`),
    ...dnsRedirects.flatMap(({ from, to }) =>
      either.map((of) => `-d ${from}/32 ${of('53')} -j DNAT --to-destination ${to}`),
    ),
  ];
}

function forwardRules({ outside, joinOpen, storeMembers, closedPorts, members }: FirewallState): string[] {
  return [
    // br_netfilter sends bridged frames here, and Docker's policy is DROP.
    `-i ${bridgeName} -o ${bridgeName} -j ACCEPT`,
    ...outside.map((link) => `-i ${link} -g WEAVE-EXPOSE`),
    // Containers reach each other over the weave network, not around it.
    `-o ${bridgeName} -j DROP`,
    `-i ${bridgeName} -j WEAVE-EXPOSE`,
    // To this host's like: a host that is open lets in whoever reaches it, and to it a container has its host's address.
    ...(joinOpen ? [`${tcp(joinPort)} ${reject}`] : []),
    ...storeMembers.map(({ address, port }) => `-d ${address}/32 ${tcp(port)} ${reject}`),
    ...(members ?? []).map((address) => `-d ${address}/32 ${tcp(memberPorts)} ${reject}`),
    // The same ports, if a container on this host publishes them.
    ...closedPorts.map((port) => `-p tcp -m conntrack --ctstate DNAT --ctorigdstport ${port} ${reject}`),
  ];
}

/** Most rules in one chain of {@link peerChains}. */
const width = 16;
/** Prefix lengths at which the tree of peers branches. */
const branches = [16, 24, 28, 32];

/** The other hosts' addresses as a tree of chains: a packet passes some ten rules for a thousand hosts. */
export function peerChains(addresses: readonly string[]): Record<string, string[]> {
  const chains: Record<string, string[]> = {};
  const grow = (name: string, ips: readonly number[], [prefix = 32, ...deeper]: readonly number[]) => {
    if (ips.length <= width || prefix === 32) {
      chains[name] = ips.map((ip) => `-s ${formatIp(ip)}/32 -j ACCEPT`);
      return;
    }
    const groups = new Map<number, number[]>();
    for (const ip of ips) {
      const first = ip - (ip % 2 ** (32 - prefix));
      groups.set(first, [...(groups.get(first) ?? []), ip]);
    }
    if (groups.size === 1) return grow(name, ips, deeper);
    const rules: string[] = [];
    chains[name] = rules;
    for (const [first, group] of groups) {
      const branch = `${peerBranch}${first.toString(16).padStart(8, '0')}-${prefix}`;
      rules.push(`-s ${formatIp(first)}/${prefix} -j ${branch}`);
      grow(branch, group, deeper);
    }
  };
  const sorted = [...new Set(addresses)].map((address) => parseIp(address)).sort((a, b) => a - b);
  grow(peerChain, sorted, branches);
  return chains;
}

/** iptables-restore's input that fails where the kernel has no such match, and leaves nothing. */
export const limitProbe = `*filter
:WEAVE-PROBE - [0:0]
-A WEAVE-PROBE ${perSource} -j DROP
COMMIT
*filter
-F WEAVE-PROBE
-X WEAVE-PROBE
COMMIT
`;
