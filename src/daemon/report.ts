import type { LaunchConfig } from '../config/config.ts';
import type { NameTable } from '../dns/names.ts';
import type { SystemNamesState } from '../dns/system/system-names.ts';
import type { Allocator } from '../ipam/allocator.ts';
import type { Part } from '../ipam/grid.ts';
import { type Cidr, formatIp } from '../model/address.ts';
import type { Condition } from '../model/conditions.ts';
import type { PathHealth } from '../model/path-health.ts';
import { vxlanPort } from '../model/ports.ts';
import type { PeerEndpoint, PeerState } from '../net/overlay/datapath.ts';
import type { Connection, Report, ReportedCondition } from '../report/report.ts';

/** A report's sources. */
export interface ReportDeps {
  version: string;
  ready: boolean;
  config: LaunchConfig;
  peer: string;
  allocator: Allocator;
  names: NameTable;
  upstream: readonly string[];
  dnsAddress: string | null;
  proxyAddresses: readonly string[];
  /** how the host itself takes part */
  host: { exposed: readonly Cidr[]; names: SystemNamesState };
  conditions: readonly Condition[];
  healed: readonly Condition[];
  /** whose the parts of the range are; null: all of it is this host's */
  parts: readonly Part[] | null;
  /** hosts that this one was told to connect to */
  targets: readonly string[];
  /** the other hosts */
  peers: readonly PeerEndpoint[];
  /** name to nickname, of hosts that are gone, too */
  nicknames: ReadonlyMap<string, string>;
  /** the links to them */
  states: readonly PeerState[];
}

/** Everything the daemon knows, in the shape that Weave Net's scripts read. */
export function makeReport(sources: ReportDeps): Report {
  const { config, peer, allocator, names } = sources;
  const { size } = allocator.range;
  const nicknames = new Map([...sources.nicknames, [peer, config.nickname]]);
  const known = new Set([peer, ...sources.peers.map(({ name }) => name)]);
  const parts = sources.parts ?? [{ first: allocator.range.first, last: allocator.range.last, peer }];
  const connections = sources.states.map(toConnection);
  return {
    Ready: sources.ready,
    Version: sources.version,
    VersionCheck: { Enabled: false, Success: false, NewVersion: '' },
    Router: {
      Protocol: 'weavets',
      Name: peer,
      NickName: config.nickname,
      Port: vxlanPort,
      Encryption: config.password !== null,
      PeerDiscovery: config.discovery,
      Peers: [
        { Name: peer, NickName: config.nickname, UID: 0, Version: 1, Connections: connections },
        ...sources.peers.map(({ name, nickname }) => {
          return { Name: name, NickName: nickname, UID: 0, Version: 1, Connections: null };
        }),
      ],
      Connections: connections,
      Targets: sources.targets.length > 0 ? [...sources.targets] : null,
      TrustedSubnets: config.trustedSubnets,
      MACs: null,
    },
    IPAM:
      config.ipallocRange === null
        ? null
        : {
            Range: allocator.range.toString(),
            RangeNumIPs: size,
            ActiveIPs: allocator.active,
            DefaultSubnet: allocator.defaultSubnet.toString(),
            Entries: parts.map((part) => ({
              Token: formatIp(part.first),
              Size: part.last - part.first + 1,
              Peer: part.peer,
              Nickname: nicknames.get(part.peer) ?? '',
              IsKnownPeer: known.has(part.peer),
            })),
          },
    DNS:
      sources.dnsAddress === null
        ? null
        : {
            Domain: config.dnsDomain,
            Upstream: [...sources.upstream],
            Address: sources.dnsAddress,
            TTL: config.dnsTtl,
            // Only on demand: sorting 100,000 takes a while, during which nothing else is served.
            get Entries() {
              return names.list().map(({ hostname, origin, containerId, address }) => ({
                Hostname: hostname,
                Origin: origin,
                ContainerID: containerId,
                Address: address,
              }));
            },
          },
    Proxy: config.proxy ? { Addresses: [...sources.proxyAddresses] } : null,
    Paths: sources.states.flatMap(({ health }) => health ?? []),
    Host: {
      Exposed: sources.host.exposed.map(String),
      NamesBy: sources.host.names.by,
      Advice: sources.host.names.advice,
    },
    Conditions: sources.conditions.map(toReported),
    Healed: sources.healed.map(toReported),
  };
}

function toReported({ code, about, text, since }: Condition): ReportedCondition {
  return { Code: code, About: about, Text: text, Since: since.toISOString() };
}

function toConnection({ peer, state, carrier, text, health, mtu }: PeerState): Connection {
  const words = [
    `${carrier} ${peer.name}(${peer.nickname})`,
    ...(mtu === undefined ? [] : [`mtu=${mtu}`]),
    ...(health ? figures(health) : []),
    ...(text === '' ? [] : [text]),
  ];
  return { Address: `${peer.address}:${vxlanPort}`, Outbound: true, State: state, Info: words.join(' ') };
}

/** `rtt=0.3ms loss=0%`; of small and of full packets where they differ: `loss=0%/100%` */
function figures({ small, full }: PathHealth): string[] {
  const [loss, lossOfFull] = [small, full].map((beat) => `${Math.round(beat.loss * 100)}%`);
  return [
    ...(small.roundTripMs === undefined ? [] : [`rtt=${small.roundTripMs.toFixed(1)}ms`]),
    ...(small.state === 'unknown' ? [] : [`loss=${loss}${lossOfFull === loss ? '' : `/${lossOfFull}`}`]),
  ];
}
