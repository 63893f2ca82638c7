import type { LaunchConfig, Report } from '../control/contract.ts';
import type { NameTable } from '../dns/names.ts';
import type { Allocator } from '../ipam/allocator.ts';

/** What a report is made of. */
export interface ReportSources {
  version: string;
  ready: boolean;
  config: LaunchConfig;
  peer: string;
  allocator: Allocator;
  names: NameTable;
  upstream: readonly string[];
  dnsAddress: string | null;
  proxyAddresses: readonly string[];
}

/** All that the daemon knows, in the shape that Weave Net's scripts read. */
export function makeReport(sources: ReportSources): Report {
  const { config, peer, allocator, names } = sources;
  const { size } = allocator.range;
  return {
    Ready: sources.ready,
    Version: sources.version,
    VersionCheck: { Enabled: false, Success: false, NewVersion: '' },
    Router: {
      Protocol: 'weavets',
      Name: peer,
      NickName: config.nickname,
      Port: 6784,
      Encryption: config.password !== null,
      PeerDiscovery: true,
      Peers: [{ Name: peer, NickName: config.nickname, UID: 0, Version: 1, Connections: null }],
      Connections: null,
      Targets: null,
      TrustedSubnets: config.trustedSubnets,
      MACs: null,
    },
    IPAM: {
      Range: allocator.range.toString(),
      RangeNumIPs: size,
      ActiveIPs: allocator.active,
      DefaultSubnet: allocator.defaultSubnet.toString(),
      Entries: [
        {
          Token: allocator.range.address,
          Size: size,
          Peer: peer,
          Nickname: config.nickname,
          IsKnownPeer: true,
        },
      ],
    },
    DNS:
      sources.dnsAddress === null
        ? null
        : {
            Domain: config.dnsDomain,
            Upstream: [...sources.upstream],
            Address: sources.dnsAddress,
            TTL: config.dnsTtl,
            Entries: names.list().map(({ hostname, origin, containerId, address }) => ({
              Hostname: hostname,
              Origin: origin,
              ContainerID: containerId,
              Address: address,
            })),
          },
    Proxy: config.proxy ? { Addresses: [...sources.proxyAddresses] } : null,
  };
}
