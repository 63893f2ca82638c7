import type { TlsFiles } from '../model/tls.ts';
import type { Fields } from './settings.ts';

/** Files of TLS towards etcd, and who we are there. */
export interface EtcdLogin {
  ca?: string;
  cert?: string;
  key?: string;
  user?: string;
  password?: string;
}

/**
 * All that `launch` decides: parsed and checked by the command line, then handed to the daemon as JSON. Most fields
 * are rows of the table in launch-options.ts; here stand those that several flags, or variables, make together.
 */
export interface LaunchConfig extends Fields {
  /** Proxy endpoints: `unix:///path`, `tcp://ip:port` */
  hosts: string[];
  /** DOCKER_HOST of the engine: `unix:///path`, `tcp://ip:port` */
  engine: string;
  /** TLS towards the engine (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH) */
  engineTls: TlsFiles | null;
  /** TLS on the proxy's TCP endpoints */
  tls: TlsFiles | null;
  /** 10.32.0.0/12; null: this host gives out no addresses */
  ipallocRange: string | null;
  /** the user named the range; then an overlap with a route is a warning and not an error */
  ipallocRangeGiven: boolean;
  /** null: the range */
  ipallocDefaultSubnet: string | null;
  /** containers are told of the DNS server */
  dnsForContainers: boolean;
  /** interface of the engine's default bridge: DOCKER_BRIDGE, docker0 */
  dockerBridge: string;
  /** null: from the underlay */
  mtu: number | null;
  /** `lmdb` or `etcd://h1:2379,h2:2379`; `etcds://` with TLS */
  store: string;
  /** how etcd lets us in; null: all are let in */
  etcd: EtcdLogin | null;
  /** null: traffic between hosts is not encrypted */
  password: string | null;
  /** hosts that were named: HOST or HOST:PORT */
  peers: string[];
  /** TOKEN@HOST, by which this host joins a cluster; null: it does not, or by the password */
  join: string | null;
  /** the user named the domain; otherwise it is the cluster's */
  dnsDomainGiven: boolean;
}
