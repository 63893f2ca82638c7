/** Typed operations shared by the command line and the daemon: one line of JSON each over the control socket. */
import type { LogLevel } from '../lib/log.ts';

/** Where things are on the host. */
export const paths = {
  /** LMDB, the peer's name, the shims; survives a reboot */
  state: '/var/lib/weave',
  /** sockets, pid file */
  run: '/var/run/weave',
  control: '/var/run/weave/control.sock',
  proxy: 'unix:///var/run/weave/weave.sock',
  log: '/var/log/weavets.log',
} as const;

/** TLS as dockerd has it. */
export interface TlsFiles {
  /** --tlsverify: clients must show a certificate that `ca` signed */
  verify: boolean;
  ca?: string;
  cert?: string;
  key?: string;
}

/** Files of TLS towards etcd, and who we are there. */
export interface EtcdLogin {
  ca?: string;
  cert?: string;
  key?: string;
  user?: string;
  password?: string;
}

/** All that `launch` decides: parsed and checked by the command line, then handed to the daemon as JSON. */
export interface LaunchConfig {
  /** Proxy endpoints: `unix:///path`, `tcp://ip:port` */
  hosts: string[];
  /** DOCKER_HOST of the engine: `unix:///path`, `tcp://ip:port` */
  engine: string;
  /** TLS towards the engine (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH) */
  engineTls: TlsFiles | null;
  /** TLS on the proxy's TCP endpoints */
  tls: TlsFiles | null;
  allowInsecureTcp: boolean;
  /** 10.32.0.0/12 */
  ipallocRange: string;
  /** the user named the range; then an overlap with a route is a warning and not an error */
  ipallocRangeGiven: boolean;
  /** null: the range */
  ipallocDefaultSubnet: string | null;
  defaultIpalloc: boolean;
  attachUserNetworks: boolean;
  /** DNS server on */
  dns: boolean;
  /** containers are told of it */
  dnsForContainers: boolean;
  /** ends in a dot: `weave.local.` */
  dnsDomain: string;
  /** seconds */
  dnsTtl: number;
  /** `ip`, `ip:port`; null: the docker bridge's address, port 53 */
  dnsListenAddress: string | null;
  multicastRoute: boolean;
  rewriteHosts: boolean;
  rewriteInspect: boolean;
  hostnameFromLabel: string | null;
  hostnameMatch: string;
  hostnameReplacement: string;
  proxy: boolean;
  /** interface of the engine's default bridge: DOCKER_BRIDGE, docker0 */
  dockerBridge: string;
  /** null: from the underlay */
  mtu: number | null;
  /** `ip:port` of the read-only status server; null: off */
  statusAddress: string | null;
  /** `ip:port` of the control API on loopback TCP; null: off */
  httpAddress: string | null;
  /** this peer's name, a MAC; null: made from the machine's id and kept */
  name: string | null;
  nickname: string;
  datapath: 'bridge' | 'ovs';
  /** `lmdb` or `etcd://h1:2379,h2:2379`; `etcds://` with TLS */
  store: string;
  /** how etcd lets us in; null: all are let in */
  etcd: EtcdLogin | null;
  password: string | null;
  trustedSubnets: string[];
  /** Other hosts to connect to: `ip` or `ip:port` */
  peers?: string[];
  /** Connect to the peers that were known when the daemon last ran, too */
  resume?: boolean;
  /** This host's address towards the peers; null: by the routing table */
  host?: string | null;
  logLevel: LogLevel;
}

/** A container, or the host itself, as `ps` shows it. */
export interface PsEntry {
  /** 64 hex digits, or `weave:expose` */
  id: string;
  name: string;
  mac: string;
  cidrs: string[];
}

/** A running container that is or is not attached, and why, for `ps --why`. */
export interface WhyEntry {
  id: string;
  name: string;
  attached: boolean;
  reason: string;
}

/** A line of `status dns`. */
export interface NameEntry {
  /** fully qualified, with the final dot */
  hostname: string;
  /** name of the peer that answers for it */
  origin: string;
  containerId: string;
  address: string;
}

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
}

/** A link to another peer. */
export interface Connection {
  /** `IP:PORT` */
  Address: string;
  Outbound: boolean;
  State: 'established' | 'pending' | 'retrying' | 'failed';
  /** what carries it, and the peer: `vxlan 0e:1d:12:1a:1a:88(host1)` */
  Info: string;
}

/** Every operation: what it takes and what it gives. */
export interface Operations {
  ping: { in: Record<string, never>; out: { pid: number; version: string; ready: boolean } };
  report: { in: Record<string, never>; out: Report };
  ps: { in: { containers: string[] }; out: PsEntry[] };
  why: { in: Record<string, never>; out: WhyEntry[] };
  stop: { in: Record<string, never>; out: Record<string, never> };
  attach: {
    in: {
      container: string;
      requests: string[];
      rewriteHosts: boolean;
      addHosts: string[];
      multicastRoute: boolean;
      /** false with --without-dns: no name for the container; default true */
      dns?: boolean;
    };
    out: { addresses: string[] };
  };
  detach: { in: { container: string; requests: string[] }; out: { addresses: string[] } };
  expose: {
    in: { requests: string[]; fqdn: string | null; masquerade: boolean };
    out: { addresses: string[] };
  };
  hide: { in: { requests: string[] }; out: { addresses: string[] } };
  dnsAdd: {
    in: { container: string | null; ips: string[]; fqdn: string | null };
    out: Record<string, never>;
  };
  dnsRemove: {
    in: { container: string | null; ips: string[]; fqdn: string | null };
    out: Record<string, never>;
  };
  dnsLookup: { in: { name: string }; out: { addresses: string[] } };
  dnsArgs: { in: Record<string, never>; out: { args: string[] } };
  rmpeer: { in: { peers: string[] }; out: { lines: string[] } };
  connect: { in: { peers: string[]; replace: boolean }; out: Record<string, never> };
  forget: { in: { peers: string[] }; out: Record<string, never> };
  prime: { in: Record<string, never>; out: Record<string, never> };
}

/** Name of an operation. */
export type Operation = keyof Operations;
