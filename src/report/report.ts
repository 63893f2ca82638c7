import type { PathHealth } from '../model/path-health.ts';

/** All the daemon knows, in the shape that `report` prints. */
export interface Report {
  Ready: boolean;
  Version: string;
  VersionCheck: { Enabled: boolean; Success: boolean; NewVersion: string };
  Router: {
    Protocol: string;
    Name: string;
    NickName: string;
    Port: number;
    Encryption: boolean;
    PeerDiscovery: boolean;
    Peers: {
      Name: string;
      NickName: string;
      UID: number;
      Version: number;
      Connections: Connection[] | null;
    }[];
    Connections: Connection[] | null;
    Targets: string[] | null;
    TrustedSubnets: string[];
    MACs: { Mac: string; Name: string; NickName: string; LastSeen: string }[] | null;
  };
  IPAM: {
    Range: string;
    RangeNumIPs: number;
    ActiveIPs: number;
    DefaultSubnet: string;
    Entries: { Token: string; Size: number; Peer: string; Nickname: string; IsKnownPeer: boolean }[];
  } | null;
  DNS: {
    Domain: string;
    Upstream: string[];
    Address: string;
    TTL: number;
    Entries: { Hostname: string; Origin: string; ContainerID: string; Address: string }[];
  } | null;
  Proxy: { Addresses: string[] } | null;
  /** how the ways to the other hosts are, inside the network */
  Paths: PathHealth[];
  /** what is wrong now, the oldest first */
  Conditions: ReportedCondition[];
  /** what was wrong within the last hour, and has been put right */
  Healed: ReportedCondition[];
}

/** Something that is, or was, wrong on this host. */
export interface ReportedCondition {
  Code: string;
  /** what it is about, where the kind can be there several times; else empty */
  About: string;
  Text: string;
  Since: string;
}

/** A link to another peer. */
export interface Connection {
  /** `IP:PORT` */
  Address: string;
  Outbound: boolean;
  State: 'established' | 'pending' | 'retrying' | 'failed';
  /**
   * what carries it, the peer, the MTU of the way there, and how it fares:
   * `vxlan 0e:1d:12:1a:1a:88(host1) mtu=1450 rtt=0.3ms loss=0%`, with loss of small/full packets where they differ
   */
  Info: string;
}
