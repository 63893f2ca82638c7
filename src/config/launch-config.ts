import { hostname } from 'node:os';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { type LogLevel, logLevels } from '../lib/log.ts';
import { Cidr, formatIp, isIp } from '../model/address.ts';
import { paths } from '../model/paths.ts';
import type { LaunchConfig } from './config.ts';
import { parseEndpoint } from './endpoint.ts';
import type { launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';
import { parsePeers } from './peers.ts';
import { parseEtcdLogin, parseStore } from './store-config.ts';
import { engineTls, proxyTls } from './tls-files.ts';

const defaultRange = '10.32.0.0/12';
const engineSocket = 'unix:///var/run/docker.sock';

/**
 * What `launch` was asked for, from flags and environment, all of it checked.
 * @throws WeaveError USAGE, INSECURE_TCP or TLS_CONFIG with a message that names the flag
 */
export function parseLaunch(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): LaunchConfig {
  const tls = proxyTls(args, env);
  const allowInsecureTcp = args['allow-insecure-tcp'] ?? false;
  const hosts = parseHosts(args.H ?? [], tls !== null || allowInsecureTcp);
  const engine = parseEngine(env, hosts);
  const range = parseRange(args['ipalloc-range'] ?? defaultRange);
  const subnet = args['ipalloc-default-subnet'];
  const etcd = parseEtcdLogin(args, env);
  const peers = parsePeers(args.words);
  return {
    hosts,
    engine,
    engineTls: engineTls(engine, env),
    tls,
    allowInsecureTcp,
    ipallocRange: range.toString(),
    ipallocRangeGiven: args['ipalloc-range'] !== undefined,
    ipallocDefaultSubnet: subnet === undefined ? null : parseDefaultSubnet(subnet, range),
    defaultIpalloc: !args['no-default-ipalloc'],
    attachUserNetworks: args['attach-user-networks'] ?? false,
    dns: !args['no-dns'],
    dnsForContainers: !args['no-dns'] && !args['without-dns'],
    dnsDomain: parseDomain(args['dns-domain'] ?? 'weave.local.'),
    dnsTtl: parseNumber('--dns-ttl', args['dns-ttl'] ?? '1', { min: 0, max: 2 ** 31 - 1 }),
    dnsListenAddress: parseDnsAddress(args['dns-listen-address']),
    multicastRoute: !args['no-multicast-route'],
    rewriteHosts: !args['no-rewrite-hosts'],
    rewriteInspect: args['rewrite-inspect'] ?? false,
    hostnameFromLabel: args['hostname-from-label'] ?? null,
    hostnameMatch: parseRegexp(args['hostname-match'] ?? '(.*)'),
    hostnameReplacement: args['hostname-replacement'] ?? '$1',
    proxy: args.proxy ?? true,
    dockerBridge: env.DOCKER_BRIDGE || 'docker0',
    mtu: env.WEAVE_MTU ? parseNumber('WEAVE_MTU', env.WEAVE_MTU, { min: 576, max: 65_535 }) : null,
    statusAddress: parseStatusAddress(args, env),
    httpAddress: parseHttpAddress(args, env),
    name: args.name === undefined ? null : parseName(args.name),
    nickname: args.nickname ?? hostname(),
    datapath: parseOneOf('--datapath', args.datapath ?? 'bridge', ['bridge', 'ovs']),
    store: parseStore(args.store ?? (env.WEAVE_STORE || undefined), { peers, etcd }),
    etcd,
    password: args.password || env.WEAVE_PASSWORD || null,
    trustedSubnets: (args['trusted-subnets'] ?? '')
      .split(',')
      .filter((text) => text !== '')
      .map((text) => parseSubnet('--trusted-subnets', text).toString()),
    peers,
    resume: args.resume ?? false,
    host: args.host === undefined ? null : parseHostAddress(args.host),
    logLevel: parseOneOf<LogLevel>(
      '--log-level',
      args['log-level'] ?? (env.WEAVE_DEBUG ? 'debug' : 'info'),
      logLevels,
    ),
  };
}

function parseHosts(given: readonly string[], openTcpAllowed: boolean): string[] {
  if (given.length === 0) return [paths.proxy];
  return given.map((text) => {
    // The sockets that systemd passes on; its unit says who may come.
    if (text === 'fd://') return text;
    const { url, local } = parseEndpoint(text, '-H', 12_375);
    if (local || openTcpAllowed) return url;
    throw new WeaveError(
      'INSECURE_TCP',
      `-H ${text} would give root on this host to all who reach it; add --tlsverify, or --allow-insecure-tcp if that is meant`,
    );
  });
}

/** The engine is where DOCKER_HOST points, unless `weavets env` made that ourselves. */
function parseEngine(env: NodeJS.ProcessEnv, hosts: readonly string[]): string {
  const isProxy = (text: string) => text === paths.proxy || hosts.includes(text);
  const [variable, value = ''] = isProxy(env.DOCKER_HOST ?? '')
    ? (['ORIG_DOCKER_HOST', env.ORIG_DOCKER_HOST] as const)
    : (['DOCKER_HOST', env.DOCKER_HOST] as const);
  if (value === '') return engineSocket;
  const { url } = parseEndpoint(value, variable, env.DOCKER_TLS_VERIFY ? 2376 : 2375, true);
  if (isProxy(url))
    throw new WeaveError('USAGE', `${variable} names the proxy itself; name the engine, or unset it`);
  return url;
}

function parseSubnet(flag: string, text: string): Cidr {
  const cidr = attempt(flag, () => Cidr.parse(text));
  if (!cidr.equals(cidr.subnet)) {
    throw new WeaveError(
      'USAGE',
      `${flag}: ${text} is an address within a subnet; the subnet is ${cidr.subnet}`,
    );
  }
  return cidr;
}

function parseRange(text: string): Cidr {
  const range = parseSubnet('--ipalloc-range', text);
  // The first and the last address of a subnet are never given.
  if (range.size > 2) return range;
  throw new WeaveError(
    'USAGE',
    `--ipalloc-range: ${range} has no address to give; its prefix can be /30 at most`,
  );
}

function parseDefaultSubnet(text: string, range: Cidr): string {
  const subnet = parseSubnet('--ipalloc-default-subnet', text);
  if (range.contains(subnet.first) && range.contains(subnet.last)) return subnet.toString();
  throw new WeaveError(
    'USAGE',
    `--ipalloc-default-subnet: ${subnet} is not within the range ${range} (${formatIp(range.first)} to ${formatIp(range.last)})`,
  );
}

function parseDomain(text: string): string {
  const domain = text.toLowerCase().replace(/\.$/, '');
  if (
    /^(?!.{254})([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(domain)
  ) {
    return `${domain}.`;
  }
  throw new WeaveError('USAGE', `--dns-domain: '${text}' is not a domain name`);
}

function parseDnsAddress(text: string | undefined): string | null {
  if (text === undefined) return null;
  return text.includes(':')
    ? parseIpPort('--dns-listen-address', text)
    : parseIpOnly('--dns-listen-address', text);
}

function parseStatusAddress(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): string | null {
  const given = args['status-addr'] ?? args['metrics-addr'] ?? env.WEAVE_STATUS_ADDR;
  if (given === 'off' || given === '') return null;
  return parseIpPort('--status-addr', given ?? '127.0.0.1:6782');
}

function parseHttpAddress(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): string | null {
  const given = args['http-addr'] ?? env.WEAVE_HTTP_ADDR;
  if (given === undefined || given === 'off' || given === '') return null;
  const address = parseIpPort('--http-addr', given);
  if (/^(127\.|\[::1\])/.test(address) || args['allow-insecure-tcp']) return address;
  throw new WeaveError(
    'INSECURE_TCP',
    `--http-addr ${address} would let others control this host; use 127.0.0.1, or say --allow-insecure-tcp`,
  );
}

function parseIpPort(flag: string, text: string): string {
  const { url } = parseEndpoint(text, flag, 0);
  if (!url.startsWith('tcp://'))
    throw new WeaveError('USAGE', `${flag}: '${text}' is not of the form IP:PORT`);
  return url.slice('tcp://'.length);
}

function parseIpOnly(flag: string, text: string): string {
  if (isIp(text)) return text;
  throw new WeaveError('USAGE', `${flag}: '${text}' is not an IPv4 address`);
}

const parseHostAddress = (text: string) => parseIpOnly('--host', text);

/** Checked as the regular expression that it becomes; Go's form of named groups is accepted. */
function parseRegexp(text: string): string {
  attempt('--hostname-match', () => new RegExp(text.replaceAll('(?P<', '(?<')));
  return text;
}

function parseName(text: string): string {
  const name = text.toLowerCase();
  // The bridge gets it as its address, and a group address (odd first octet) can't be one.
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(name) && name !== '00:00:00:00:00:00') return name;
  throw new WeaveError(
    'USAGE',
    `--name: '${text}' is not the MAC of one interface; write it like 0e:1d:12:1a:1a:88`,
  );
}

function parseNumber(flag: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new WeaveError('USAGE', `${flag}: '${text}' is not a number from ${min} to ${max}`);
}

function parseOneOf<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new WeaveError('USAGE', `${flag}: '${text}' is none of ${choices.join(', ')}`);
}

function attempt<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new WeaveError('USAGE', `${flag}: ${messageOf(error)}`, { cause: error });
  }
}
