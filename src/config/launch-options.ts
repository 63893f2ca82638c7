import { hostname } from 'node:os';
import { logLevels } from '../lib/log-level.ts';
import { paths } from '../model/paths.ts';
import type { Option } from './option.ts';
import {
  byCommas,
  dnsAddress,
  domain,
  ip,
  ipPortOrOff,
  mac,
  masked,
  not,
  number,
  oneOf,
  rangeOrNone,
  subnet,
} from './values.ts';

/** A row of the table of launch's flags. */
export interface LaunchOption extends Option {
  /**
   * Makes what was given, or the default, a setting; without it, the text is the setting.
   * @param what the flag or the variable, for the message of a WeaveError USAGE
   */
  parse?(given: never, what: string): unknown;
  /** The setting where nothing was given and there is no default; without it, null. */
  otherwise?(): unknown;
  /** The LaunchConfig's field of this name; without one, launch-config.ts joins it with others. */
  field?: string;
  /** How its variable's text is to be taken; default: as the flag's, and an empty one as none. */
  fromEnv?(text: string): string | undefined;
  /** Its value must not be seen by other users of the host. */
  secret?: true;
  /** Only several hosts give it a meaning. */
  betweenHosts?: true;
  /** Taken for Weave Net's scripts, and does nothing: what stands in its place. */
  noEffect?: string;
}

/**
 * The flags of `launch`: all that is known of each is in its row. Help, completions, the manual page, docs/launch.md
 * and LaunchConfig are made from this table. To add one, add a row.
 */
export const launchOptions = {
  H: {
    kind: 'list',
    about:
      'Where the proxy listens: unix:///path, tcp://IP:PORT or fd:// (systemd, with --foreground); repeatable',
    default: paths.proxy,
  },
  'allow-insecure-tcp': {
    kind: 'flag',
    about: 'Let the proxy listen on TCP without TLS where other machines can reach it',
    field: 'allowInsecureTcp',
  },
  tls: { kind: 'flag', about: "TLS on the proxy's TCP endpoints; implied by --tlsverify" },
  tlsverify: { kind: 'flag', about: 'Clients must show a certificate that --tlscacert signed' },
  tlscacert: { kind: 'file', about: 'Trust certificates signed by this file', without: '~/.docker/ca.pem' },
  tlscert: { kind: 'file', about: 'Certificate file', without: '~/.docker/cert.pem' },
  tlskey: { kind: 'file', about: 'Key file', without: '~/.docker/key.pem' },
  'ipalloc-range': {
    kind: 'text',
    about: "Address range to allocate from; '' allocates none, so containers must name theirs",
    default: '10.32.0.0/12',
    parse: rangeOrNone,
  },
  'ipalloc-default-subnet': {
    kind: 'text',
    about: 'Subnet for containers that ask for none',
    without: 'the range',
    parse: subnet,
  },
  'no-default-ipalloc': {
    kind: 'flag',
    about: 'Attach only containers with a WEAVE_CIDR',
    field: 'defaultIpalloc',
    parse: not,
  },
  'attach-user-networks': {
    kind: 'flag',
    about: 'Also attach containers on user-defined networks',
    field: 'attachUserNetworks',
  },
  'no-dns': { kind: 'flag', about: 'Run no DNS server', field: 'dns', parse: not },
  'without-dns': { kind: 'flag', about: "Don't tell containers about the DNS server" },
  'dns-domain': {
    kind: 'text',
    about: 'Domain of container names',
    default: 'weave.local.',
    field: 'dnsDomain',
    parse: domain,
  },
  'dns-ttl': {
    kind: 'number',
    about: 'Seconds for which answers may be cached',
    default: '1',
    field: 'dnsTtl',
    parse: number({ min: 0, max: 2 ** 31 - 1 }),
  },
  'dns-listen-address': {
    kind: 'text',
    about: 'IP or IP:PORT of the DNS server',
    without: "the docker bridge's, port 53",
    field: 'dnsListenAddress',
    parse: dnsAddress,
  },
  expose: {
    kind: 'flag',
    about: "Give this host an address and containers' names, as weavets expose does",
    field: 'expose',
  },
  'hosts-file': {
    kind: 'flag',
    about: "With --expose: keep the names in this host's /etc/hosts",
    field: 'hostsFile',
  },
  'no-multicast-route': {
    kind: 'flag',
    about: 'Give containers no route to 224.0.0.0/4',
    field: 'multicastRoute',
    parse: not,
  },
  'no-rewrite-hosts': {
    kind: 'flag',
    about: "Leave containers' /etc/hosts alone",
    field: 'rewriteHosts',
    parse: not,
  },
  'rewrite-inspect': {
    kind: 'flag',
    about: 'Make docker inspect show the address on this network',
    field: 'rewriteInspect',
  },
  'hostname-from-label': {
    kind: 'text',
    about: 'Take the hostname from this label',
    without: "the container's name",
    field: 'hostnameFromLabel',
  },
  'hostname-match': {
    kind: 'text',
    about: "Regular expression, in Go's syntax, that finds the hostname in the name",
    default: '(.*)',
    field: 'hostnameMatch',
  },
  'hostname-replacement': {
    kind: 'text',
    about: 'What the match becomes, with $1 or $name',
    default: '$1',
    field: 'hostnameReplacement',
  },
  name: {
    kind: 'text',
    about: "This host's name among peers, a MAC",
    without: "made from the machine's id",
    field: 'name',
    parse: mac,
  },
  nickname: {
    kind: 'text',
    about: "This host's name for people",
    without: 'the hostname',
    field: 'nickname',
    otherwise: hostname,
  },
  host: {
    kind: 'text',
    about: "This host's address towards peers",
    without: 'by the routing table',
    field: 'host',
    parse: ip,
    betweenHosts: true,
  },
  password: {
    kind: 'text',
    about: 'Encrypt traffic between hosts, and let in those with the same password',
    env: 'WEAVE_PASSWORD',
    secret: true,
  },
  'password-file': {
    kind: 'file',
    about: 'The same, from a file with one line; - is standard input',
    env: 'WEAVE_PASSWORD_FILE',
  },
  join: {
    kind: 'text',
    about: "Join a cluster: TOKEN@HOST, as printed there by 'weavets cluster token'",
    env: 'WEAVE_JOIN',
    secret: true,
  },
  'join-file': {
    kind: 'file',
    about: 'The same, from a file with one line; - is standard input',
    env: 'WEAVE_JOIN_FILE',
  },
  open: {
    kind: 'flag',
    about: 'Let in every host that reaches TCP port 6783, without password or token',
    field: 'open',
  },
  resume: {
    kind: 'flag',
    about: 'Also connect to the peers known at the last run',
    field: 'resume',
  },
  'trusted-subnets': {
    kind: 'text',
    about: 'Subnets that need no encryption, separated by commas',
    field: 'trustedSubnets',
    parse: byCommas(masked),
    otherwise: (): string[] => [],
    betweenHosts: true,
  },
  store: {
    kind: 'text',
    about: 'lmdb: this host alone; etcd://HOST:PORT,…: with others',
    without: 'lmdb',
    env: 'WEAVE_STORE',
  },
  'etcd-cacert': {
    kind: 'file',
    about: 'Use TLS, and trust etcd certificates signed by this file',
    env: 'ETCDCTL_CACERT',
  },
  'etcd-cert': {
    kind: 'file',
    about: "This host's certificate for etcd",
    env: 'ETCDCTL_CERT',
  },
  'etcd-key': { kind: 'file', about: 'Key file of that certificate', env: 'ETCDCTL_KEY' },
  'etcd-user': {
    kind: 'text',
    about: 'USER or USER:PASSWORD of etcd; the password may be in ETCDCTL_PASSWORD',
    env: 'ETCDCTL_USER',
    secret: true,
  },
  'etcd-user-file': {
    kind: 'file',
    about: 'USER:PASSWORD of etcd, from a file with one line; - is standard input',
    env: 'WEAVE_ETCD_USER_FILE',
  },
  datapath: {
    kind: 'text',
    about: 'What joins the hosts: bridge or ovs',
    default: 'bridge',
    field: 'datapath',
    parse: oneOf(['bridge', 'ovs']),
  },
  proxy: {
    kind: 'flag',
    about: '--proxy=false: no proxy; containers are attached by weavets attach',
    default: 'true',
    field: 'proxy',
  },
  'status-addr': {
    kind: 'text',
    alias: 'metrics-addr',
    about: 'IP:PORT of the read-only page, status and metrics; off for none',
    default: '127.0.0.1:6782',
    field: 'statusAddress',
    parse: ipPortOrOff,
    env: 'WEAVE_STATUS_ADDR',
    // As in Weave Net, an empty one switches it off.
    fromEnv: (text: string) => text,
  },
  'http-addr': {
    kind: 'text',
    about: 'IP:PORT on loopback of the control API over HTTP',
    default: 'off',
    field: 'httpAddress',
    parse: ipPortOrOff,
    env: 'WEAVE_HTTP_ADDR',
  },
  'log-level': {
    kind: 'text',
    about: `${logLevels.slice(0, -1).join(', ')} or ${logLevels.at(-1)}`,
    default: 'info',
    field: 'logLevel',
    parse: oneOf(logLevels),
    env: 'WEAVE_DEBUG',
    fromEnv: (text: string) => (text === '' ? undefined : 'debug'),
  },
  foreground: { kind: 'flag', about: 'Run in this process, and log to stderr' },
  'no-restart': {
    kind: 'flag',
    about: "Without effect, for Weave Net's scripts: only systemd restarts weavets",
    noEffect: "only systemd restarts weavets, by 'weavets install-service'",
  },
  plugin: {
    kind: 'flag',
    about: "Without effect, for Weave Net's scripts: there is no plugin",
    noEffect: 'there is no plugin; the proxy attaches containers',
  },
  'ipalloc-init': {
    kind: 'text',
    about: "Without effect, for Weave Net's scripts: hosts agree by the cluster's store",
    noEffect: "hosts agree on addresses by the cluster's store",
  },
  'no-discovery': {
    kind: 'flag',
    about: "Reported, for Weave Net's scripts; the hosts of a cluster always know each other",
    field: 'discovery',
    parse: not,
    noEffect: 'the hosts of a cluster always know each other',
  },
  'conn-limit': {
    kind: 'text',
    about: "Without effect, for Weave Net's scripts: there is no limit",
    noEffect: 'there is no limit',
  },
} as const satisfies Record<string, LaunchOption>;
