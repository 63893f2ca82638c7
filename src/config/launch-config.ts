import { WeaveError } from '../lib/errors.ts';
import { type Cidr, formatIp } from '../model/address.ts';
import { formatEndpoint, isLoopback } from '../model/endpoint.ts';
import { GoRegExp } from '../model/go-regexp.ts';
import { paths } from '../model/paths.ts';
import { proxyPort } from '../model/ports.ts';
import type { LaunchConfig } from './config.ts';
import { splitJoin } from './join.ts';
import type { launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';
import { parsePeers } from './peers.ts';
import { readSecret } from './secrets.ts';
import { fieldsOf, readSettings } from './settings.ts';
import { parseEtcdLogin, parseStore, usesEtcd } from './store-config.ts';
import { engineTls, proxyTls, usesTls } from './tls-files.ts';
import { connectable, listenable, number } from './values.ts';

const engineSocket = 'unix:///var/run/docker.sock';
const parseMtu = number({ min: 576, max: 65_535 });

/**
 * launch's configuration from flags and environment, fully checked.
 * @throws WeaveError USAGE, INSECURE_TCP or TLS_CONFIG with a message that names the flag
 */
export function parseLaunch(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): LaunchConfig {
  const peers = parsePeers(args.words);
  const settings = readSettings(args, usesEtcd(args, env) ? env : withoutEtcd(env));
  const fields = fieldsOf(settings);
  const tls = proxyTls(settings, env);
  const hosts = parseHosts(settings.H, tls !== null || fields.allowInsecureTcp);
  const engine = parseEngine(env, hosts);
  const range = settings['ipalloc-range'];
  const etcd = parseEtcdLogin(settings, env.ETCDCTL_PASSWORD);
  checkHttpAddress(fields);
  if (fields.hostsFile && !fields.expose)
    throw new WeaveError('USAGE', '--hosts-file goes with --expose, which gives this host the names');
  new GoRegExp(fields.hostnameMatch, '--hostname-match');
  return {
    ...fields,
    hosts,
    engine,
    engineTls: engineTls(engine, env),
    tls,
    ipallocRange: range?.toString() ?? null,
    defaultIpalloc: fields.defaultIpalloc && range !== null,
    ipallocRangeGiven: args['ipalloc-range'] !== undefined,
    ipallocDefaultSubnet: parseDefaultSubnet(settings['ipalloc-default-subnet'], range),
    dnsForContainers: fields.dns && !settings['without-dns'],
    dockerBridge: env.DOCKER_BRIDGE || 'docker0',
    mtu: env.WEAVE_MTU ? parseMtu(env.WEAVE_MTU, 'WEAVE_MTU') : null,
    store: parseStore(settings.store, etcd),
    etcd,
    password: readSecret(settings.password, { file: settings['password-file'], flag: 'password' }),
    peers,
    join: parseJoin(readSecret(settings.join, { file: settings['join-file'], flag: 'join' })),
    dnsDomainGiven: args['dns-domain'] !== undefined,
  };
}

/** The variables may be meant for etcdctl: alone, they don't make a cluster. */
function withoutEtcd(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ETCDCTL_')));
}

function parseJoin(text: string | null): string | null {
  if (text !== null) splitJoin(text);
  return text;
}

function parseHosts(given: readonly string[], openTcpAllowed: boolean): string[] {
  return given.map((text) => {
    const endpoint = listenable(text, '-H', proxyPort);
    // Of the sockets that systemd passes on, its unit says who may come.
    if (endpoint.kind !== 'tcp' || isLoopback(endpoint.host) || openTcpAllowed)
      return formatEndpoint(endpoint);
    throw new WeaveError(
      'INSECURE_TCP',
      `-H ${text} would give root on this host to anyone who can reach it; add --tlsverify, or --allow-insecure-tcp if you mean it`,
    );
  });
}

/** The engine is where DOCKER_HOST points, unless that is us, by `weavets env`. */
export function parseEngine(env: NodeJS.ProcessEnv, hosts: readonly string[] = []): string {
  const isProxy = (text: string) => text === paths.proxy || hosts.includes(text);
  const [variable, value = ''] = isProxy(env.DOCKER_HOST ?? '')
    ? (['ORIG_DOCKER_HOST', env.ORIG_DOCKER_HOST] as const)
    : (['DOCKER_HOST', env.DOCKER_HOST] as const);
  if (value === '') return engineSocket;
  const url = formatEndpoint(connectable(value, variable, usesTls(env) ? 2376 : 2375));
  if (isProxy(url))
    throw new WeaveError('USAGE', `${variable} names the proxy itself; name the engine, or unset it`);
  return url;
}

function parseDefaultSubnet(subnet: Cidr | null, range: Cidr | null): string | null {
  if (subnet === null) return null;
  if (range === null)
    throw new WeaveError(
      'USAGE',
      "--ipalloc-default-subnet: there is no range to take it from (--ipalloc-range '')",
    );
  if (range.contains(subnet.first) && range.contains(subnet.last)) return subnet.toString();
  throw new WeaveError(
    'USAGE',
    `--ipalloc-default-subnet: ${subnet} is not within the range ${range} (${formatIp(range.first)} to ${formatIp(range.last)})`,
  );
}

function checkHttpAddress({
  httpAddress,
  allowInsecureTcp,
}: Pick<LaunchConfig, 'httpAddress' | 'allowInsecureTcp'>) {
  if (httpAddress === null || allowInsecureTcp) return;
  const endpoint = listenable(httpAddress, '--http-addr', 0);
  if (endpoint.kind === 'tcp' && isLoopback(endpoint.host)) return;
  throw new WeaveError(
    'INSECURE_TCP',
    `--http-addr ${httpAddress} would let others control this host; use 127.0.0.1, or add --allow-insecure-tcp`,
  );
}
