import type { LogLevel } from '../lib/log.ts';
import type { TlsFiles } from '../model/tls.ts';

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
