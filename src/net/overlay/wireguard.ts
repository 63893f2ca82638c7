import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import { run, runOk } from '../../lib/exec.ts';
import { KeyedLock } from '../../lib/lock.ts';
import type { Logger } from '../../lib/log.ts';
import { howToInstall } from '../../lib/tools.ts';
import type { Cidr } from '../../model/address.ts';
import { heartbeatPort, vxlanPort, wireguardPort } from '../../model/ports.ts';
import { IpBatch, queryJson } from '../ip.ts';
import { linkExists } from '../veth.ts';

/** Name of the link that encrypts. */
export const wireguardLink = 'weave-wg';

/**
 * Priorities of the routing rules, and the number of the table. What is for the VXLAN port of another host goes to
 * WireGuard, by the peers' own underlay addresses; whatever has no route there is refused, never sent in clear.
 */
const rules = { trusted: 6783, encrypted: 6784, refused: 6785 } as const;
const table = 6784;
/** UDP by its number: a container image has no /etc/protocols to look a name up in, at which `ip` just ends. */
const sealedTraffic = `ipproto 17 dport ${heartbeatPort}-${vxlanPort}`;

/** Nobody uses it: without any address on a link, the kernel's reverse path check refuses what comes in by it. */
const ownAddress = '169.254.67.84/32';

const userspaceSocket = `/var/run/wireguard/${wireguardLink}.sock`;
/** ms */
const startTimeout = 10_000;
const restartPause = 500;

/** A host that traffic is encrypted to. */
export interface WireguardPeer {
  /** base64 */
  publicKey: string;
  /** underlay IPv4 */
  address: string;
}

interface KeyPair {
  privateKey: string;
  publicKey: string;
}

/** How to make a {@link Wireguard}. */
export interface WireguardOptions {
  mtu: number;
  /** peers in these go in clear */
  trustedSubnets: readonly Cidr[];
  /** folder on a tmpfs, for the configuration while it is read */
  runDir: string;
  logger: Logger;
}

/**
 * The encrypting link: the kernel's WireGuard, or `wireguard-go` where the kernel has none, which is then started,
 * started again when it dies, and ended by {@link stop}. The private key never leaves this host's memory.
 */
export class Wireguard {
  readonly publicKey: string;
  readonly #options: WireguardOptions;
  readonly #keys: KeyPair;
  readonly #lock = new KeyedLock();
  readonly #stopped = new AbortController();
  #peers: readonly WireguardPeer[] = [];
  /** those that the link was last given */
  #configured: readonly WireguardPeer[] | undefined;
  #child: ChildProcess | undefined;

  private constructor(keys: KeyPair, options: WireguardOptions) {
    this.publicKey = keys.publicKey;
    this.#keys = keys;
    this.#options = options;
  }

  /** @throws WeaveError TOOL_MISSING, TOOL_FAILED */
  static async start(options: WireguardOptions): Promise<Wireguard> {
    const left = await keysOfLink();
    const wireguard = new Wireguard(left ?? makeKeys(), options);
    await ensureRules(options.trustedSubnets);
    try {
      await wireguard.#startLink();
    } catch (error) {
      await wireguard.stop();
      throw error;
    }
    return wireguard;
  }

  /** Sets all peers; the sessions of those that stay go on. What comes while the link is configured goes together. */
  setPeers(peers: readonly WireguardPeer[]): Promise<void> {
    this.#peers = peers;
    return this.#lock.run(wireguardLink, async () => {
      if (this.#configured !== this.#peers) await this.#configure();
    });
  }

  /** Ends what it started; a link of the kernel goes on encrypting. The rules stay, so nothing goes in clear. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#lock.idle(wireguardLink);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async #startLink(): Promise<void> {
    this.#child = undefined;
    if (!linkExists(wireguardLink) || !(await isKernelLink())) await removeUserspaceLink();
    const made =
      linkExists(wireguardLink) ||
      (await run(['ip', 'link', 'add', wireguardLink, 'type', 'wireguard'])).code === 0;
    if (!made) await this.#startUserspace();
    await this.#configure();
  }

  async #startUserspace(): Promise<void> {
    const child = spawn('wireguard-go', ['-f', wireguardLink], {
      stdio: 'ignore',
      env: { ...process.env, LOG_LEVEL: 'error' },
    });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw new WeaveError(
        'TOOL_MISSING',
        `the kernel has no WireGuard, and wireguard-go is not installed; ${howToInstall('wireguard-go')}`,
        { cause },
      );
    }
    this.#child = child;
    const end = performance.now() + startTimeout;
    while (!existsSync(userspaceSocket)) {
      if (child.exitCode !== null || performance.now() > end) {
        child.kill();
        throw new WeaveError('TOOL_FAILED', 'wireguard-go does not start; is /dev/net/tun there?');
      }
      await delay(10);
    }
    child.once('exit', (code, signal) => {
      if (this.#child !== child || this.#stopped.signal.aborted) return;
      this.#options.logger.warn({ code, signal }, 'wireguard-go has ended; it is started again');
      void this.#lock.run(wireguardLink, () => this.#restart());
    });
  }

  async #restart(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        return await this.#startLink();
      } catch (error) {
        this.#options.logger.error({ reason: messageOf(error) }, 'cannot start wireguard-go');
        await delay(restartPause, undefined, { signal: this.#stopped.signal }).catch(() => {});
      }
    }
  }

  async #configure(): Promise<void> {
    const { runDir, mtu } = this.#options;
    const peers = this.#peers;
    // By a file: the arguments of a process can be read by everyone, and wg can't open a socket as its stdin.
    const file = join(runDir, 'wireguard.conf');
    await mkdir(runDir, { recursive: true });
    try {
      await writeFile(file, this.#configuration(peers), { mode: 0o600 });
      await runOk(['wg', 'syncconf', wireguardLink, file]);
    } finally {
      await rm(file, { force: true });
    }
    const wanted = new Set(peers.map(({ address }) => address));
    const gone = (await listRoutes()).filter((address) => !wanted.has(address));
    await inBatch([
      `link set ${wireguardLink} mtu ${mtu} up`,
      `addr replace ${ownAddress} dev ${wireguardLink} scope link`,
      ...gone.map((address) => `route del ${address} dev ${wireguardLink} table ${table}`),
      ...[...wanted].map((address) => `route replace ${address} dev ${wireguardLink} table ${table}`),
    ]);
    // A peer's address is behind another link too: a strict check of reverse paths would refuse it here.
    await writeFile(`/proc/sys/net/ipv4/conf/${wireguardLink}/rp_filter`, '2');
    this.#configured = peers;
  }

  #configuration(peers: readonly WireguardPeer[]): string {
    return [
      '[Interface]',
      `PrivateKey = ${this.#keys.privateKey}`,
      `ListenPort = ${wireguardPort}`,
      ...peers.flatMap(({ publicKey, address }) => [
        '[Peer]',
        `PublicKey = ${publicKey}`,
        `Endpoint = ${address}:${wireguardPort}`,
        `AllowedIPs = ${address}/32`,
      ]),
      '',
    ].join('\n');
  }
}

/** Takes away the link, with the process behind it, and the rules; traffic goes in clear again. */
export async function removeWireguard(): Promise<void> {
  if (linkExists(wireguardLink)) {
    if (await isKernelLink()) await runOk(['ip', 'link', 'del', wireguardLink]);
    else await removeUserspaceLink();
  }
  const ours = (await listRules()).map(({ priority }) => `rule del priority ${priority}`);
  if (ours.length > 0) await inBatch(ours);
}

interface Rule {
  priority: number;
}

async function listRules(): Promise<Rule[]> {
  const numbers: readonly number[] = Object.values(rules);
  return (await queryJson<Rule>(['ip', '-4', 'rule', 'show'])).filter(({ priority }) =>
    numbers.includes(priority),
  );
}

/** Addresses that are routed to the link. */
async function listRoutes(): Promise<string[]> {
  // Of all tables: the one is an error to ask for until it has a route.
  const argv = ['ip', '-4', 'route', 'show', 'table', 'all', 'dev', wireguardLink] as const;
  const routes = await queryJson<{ dst: string; table?: string }>(argv);
  return routes.filter((route) => route.table === String(table)).map(({ dst }) => dst);
}

/** Refusal comes first and stays: there is no moment in which traffic goes in clear. */
async function ensureRules(trustedSubnets: readonly Cidr[]): Promise<void> {
  const there = (await listRules()).map(({ priority }) => priority);
  await inBatch([
    ...(there.includes(rules.refused)
      ? []
      : [`rule add priority ${rules.refused} ${sealedTraffic} unreachable`]),
    ...(there.includes(rules.encrypted)
      ? []
      : [`rule add priority ${rules.encrypted} ${sealedTraffic} lookup ${table}`]),
    ...there
      .filter((priority) => priority === rules.trusted)
      .map((priority) => `rule del priority ${priority}`),
    ...trustedSubnets.map(
      (subnet) => `rule add priority ${rules.trusted} to ${subnet.subnet} ${sealedTraffic} lookup main`,
    ),
  ]);
}

async function inBatch(lines: readonly string[]): Promise<void> {
  const ip = new IpBatch();
  try {
    await ip.runOk(lines);
  } finally {
    ip.close();
  }
}

async function isKernelLink(): Promise<boolean> {
  const links = await queryJson<{ ifname: string }>(['ip', 'link', 'show', 'type', 'wireguard']);
  return links.some(({ ifname }) => ifname === wireguardLink);
}

/** wireguard-go ends when its link goes, and takes its socket with it; a new one must come after that. */
async function removeUserspaceLink(): Promise<void> {
  const alive = (await run(['wg', 'show', wireguardLink, 'public-key'])).code === 0;
  if (linkExists(wireguardLink)) await runOk(['ip', 'link', 'del', wireguardLink]);
  const end = performance.now() + startTimeout;
  while (alive && existsSync(userspaceSocket)) {
    if (performance.now() > end)
      throw new WeaveError('TOOL_FAILED', 'the former wireguard-go does not end; end it by hand');
    await delay(10);
  }
  await rm(userspaceSocket, { force: true });
}

/** Keys of a link that a former run has left: with them, the peers' sessions go on. */
async function keysOfLink(): Promise<KeyPair | undefined> {
  if (!linkExists(wireguardLink)) return undefined;
  const [privateKey, publicKey] = await Promise.all(
    ['private-key', 'public-key'].map((what) => run(['wg', 'show', wireguardLink, what])),
  );
  if (privateKey?.code !== 0 || publicKey?.code !== 0) return undefined;
  const pair = { privateKey: privateKey.stdout.trim(), publicKey: publicKey.stdout.trim() };
  return pair.publicKey === '(none)' ? undefined : pair;
}

function makeKeys(): KeyPair {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const base64 = (text = '') => Buffer.from(text, 'base64url').toString('base64');
  return { privateKey: base64(d), publicKey: base64(x) };
}
