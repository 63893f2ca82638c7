import { table } from '../lib/table.ts';
import type { Report } from './report.ts';

/** What `status` has beside the overview, by the word that asks for it. */
export const topics: Record<string, (report: Report) => string[]> = {
  targets,
  connections,
  peers,
  dns,
  ipam,
};

/** The blocks of `status`, a blank line between them, labels right-aligned to the colon. */
export function overview(report: Report): string[] {
  const blocks = [
    [['Version', report.Version]],
    routerBlock(report.Router),
    report.IPAM && ipamBlock(report.IPAM),
    report.DNS && dnsBlock(report.DNS),
    report.Proxy && proxyBlock(report.Proxy),
    report.Conditions.length + report.Healed.length > 0 ? conditionsBlock(report) : null,
  ].filter((block) => block !== null);
  return blocks.flatMap((block, index) => [
    ...(index > 0 ? [''] : []),
    ...block.map(([label = '', value = '']) => `${label.padStart(15)}: ${value}`),
  ]);
}

type Block = string[][];

function routerBlock(router: Report['Router']): Block {
  const connections = router.Connections ?? [];
  const states = [...new Set(connections.map(({ State }) => State))].map(
    (state) => `${connections.filter(({ State }) => State === state).length} ${state}`,
  );
  return [
    ['Service', 'router'],
    ['Name', peerText(router)],
    ['Encryption', router.Encryption ? 'enabled' : 'disabled'],
    ['Targets', String(router.Targets?.length ?? 0)],
    ['Connections', `${connections.length}${states.length > 0 ? ` (${states.join(', ')})` : ''}`],
    ['Peers', String(router.Peers.length)],
    ['TrustedSubnets', router.TrustedSubnets.join(', ') || 'none'],
  ];
}

function ipamBlock(ipam: NonNullable<Report['IPAM']>): Block {
  return [
    ['Service', 'ipam'],
    // Until somebody asked for an address there is nothing to own.
    ['Status', ipam.Entries.length > 0 ? 'ready' : 'idle'],
    ['Range', ipam.Range],
    ['DefaultSubnet', ipam.DefaultSubnet],
  ];
}

function dnsBlock(dns: NonNullable<Report['DNS']>): Block {
  return [
    ['Service', 'dns'],
    ['Domain', dns.Domain],
    ['Upstream', dns.Upstream.join(', ')],
    ['TTL', String(dns.TTL)],
    ['Entries', String(dns.Entries.length)],
  ];
}

function proxyBlock(proxy: NonNullable<Report['Proxy']>): Block {
  return [
    ['Service', 'proxy'],
    ['Address', proxy.Addresses.join(', ')],
  ];
}

function conditionsBlock({ Conditions, Healed }: Report): Block {
  return [
    ...Conditions.map(({ Text, Since }) => ['Warning', `${Text} (since ${Since})`]),
    ...Healed.map(({ Text, Since }) => ['Healed', `${Text} (${Since})`]),
  ];
}

/** A line for each address that we connect to. */
function targets({ Router: router }: Report): string[] {
  return [...(router.Targets ?? [])];
}

/** Direction, `IP:PORT`, state, what carries it and the peer. */
function connections({ Router: router }: Report): string[] {
  return table(
    (router.Connections ?? []).map(({ Outbound, Address, State, Info }) => [
      Outbound ? '->' : '<-',
      Address,
      State,
      Info,
    ]),
  );
}

/** `NAME(NICKNAME)`, a line for each. */
function peers({ Router: router }: Report): string[] {
  return router.Peers.map(peerText);
}

/** Name without our domain, address, container, peer. */
function dns({ DNS: dns }: Report): string[] {
  if (dns === null) return [];
  const suffix = `.${dns.Domain}`;
  return table(
    dns.Entries.map(({ Hostname, Address, ContainerID, Origin }) => [
      Hostname.endsWith(suffix) ? Hostname.slice(0, -suffix.length) : Hostname,
      Address,
      ContainerID.slice(0, 12),
      Origin,
    ]),
  );
}

/** How much of the range each peer owns; only of our own share we know how much is in use. */
function ipam({ IPAM: ipam, Router: router }: Report): string[] {
  if (ipam === null) return [];
  const owners = new Map<string, { size: number; label: string; known: boolean }>();
  for (const { Peer, Nickname, Size, IsKnownPeer } of ipam.Entries) {
    const label = peerText({ Name: Peer, NickName: Nickname });
    owners.set(Peer, { size: (owners.get(Peer)?.size ?? 0) + Size, label, known: IsKnownPeer });
  }
  return table(
    [...owners].map(([peer, { size, label, known }]) => {
      const share = ((size / ipam.RangeNumIPs) * 100).toFixed(1).padStart(4, '0');
      const active = peer === router.Name ? ` (${ipam.ActiveIPs} active)` : '';
      return [label, `${size} IPs (${share}% of total)${active}${known ? '' : ' - unreachable!'}`];
    }),
  );
}

function peerText({ Name, NickName }: { Name: string; NickName: string }): string {
  return `${Name}(${NickName})`;
}
