import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../lib/errors.ts';
import { run, runOk } from '../../lib/exec.ts';
import { KeyedLock } from '../../lib/lock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Cidr } from '../../model/address.ts';
import { heartbeatPort, vxlanPort, wireguardPort } from '../../model/ports.ts';
import { IpBatch, queryJson } from '../ip.ts';
import { isUp, linkExists, linkFile } from '../sysfs.ts';
import { isServed, removeUserspace, startUserspace, userspaceEnded } from './wireguard-go.ts';
import { type KeyPair, keysOfLink, makeKeys } from './wireguard-keys.ts';

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
const ownAddress = '169.254.67.84';

/** ms */
const restartPause = 500;

/** A host with encrypted traffic. */
export interface WireguardPeer {
  /** base64 */
  publicKey: string;
  /** underlay IPv4 */
  address: string;
}

/** How to make a {@link Wireguard}. */
export interface WireguardOptions {
  mtu: number;
  /** peers in these go in clear */
  trustedSubnets: readonly Cidr[];
  logger: Logger;
}

/**
 * The encrypting link: the kernel's WireGuard, or `wireguard-go` where the kernel has none, which is then started, and
 * started again when it dies. It carries on when this ends. The private key is in this host's memory only: in no file,
 * and in no argument.
 */
export class Wireguard {
  readonly publicKey: string;
  readonly #options: WireguardOptions;
  readonly #keys: KeyPair;
  readonly #lock = new KeyedLock();
  readonly #stopped = new AbortController();
  /** false: a process serves the link */
  #kernel = false;
  #peers: readonly WireguardPeer[] = [];
  /** those that the link was last given */
  #configured: readonly WireguardPeer[] | undefined;

  private constructor(keys: KeyPair, options: WireguardOptions) {
    this.publicKey = keys.publicKey;
    this.#keys = keys;
    this.#options = options;
  }

  /** @throws WeaveError TOOL_MISSING, TOOL_FAILED */
  static async start(options: WireguardOptions): Promise<Wireguard> {
    const left = await keysOfLink(wireguardLink);
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

  /**
   * Puts right what others have changed: the link, its routes and peers, the routing rules.
   * @returns true if anything was
   */
  repair(): Promise<boolean> {
    return this.#lock.run(wireguardLink, async () => {
      const rules = await ensureRules(this.#options.trustedSubnets);
      if (this.#configured === undefined) return rules;
      if (!linkExists(wireguardLink)) {
        // One of a process is made anew as that ends.
        if (!this.#kernel) return rules;
        await this.#startLink();
      } else if (await this.#isAsMade()) return rules;
      else await this.#configure();
      return true;
    });
  }

  /** Stops maintaining it; the link keeps encrypting. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#lock.idle(wireguardLink);
  }

  /** Takes over an earlier run's link with its peers, which are set once they are known. */
  async #startLink(): Promise<void> {
    this.#kernel = linkExists(wireguardLink) && (await isKernelLink());
    if (this.#kernel) return;
    if (!(await isServed(wireguardLink))) {
      await removeUserspace(wireguardLink);
      const made = await run(['ip', 'link', 'add', wireguardLink, 'type', 'wireguard']);
      this.#kernel = made.code === 0;
      if (!this.#kernel) await startUserspace(wireguardLink);
      await this.#configure();
      if (this.#kernel) return;
    }
    const { signal } = this.#stopped;
    void userspaceEnded(wireguardLink, signal).then(() => {
      if (signal.aborted) return;
      this.#options.logger.warn('wireguard-go has ended; restarting it');
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
    const { mtu } = this.#options;
    const peers = this.#peers;
    // By a pipe: arguments can be read by everyone, files stay when this process is killed, and the standard input that
    // Node gives to a process is a socket, which wg can't open.
    const argv = ['sh', '-c', 'cat | wg syncconf "$0" /dev/stdin', wireguardLink] as const;
    await runOk(argv, { input: this.#configuration(peers) });
    const wanted = new Set(peers.map(({ address }) => address));
    const gone = (await listRoutes()).hosts.filter((address) => !wanted.has(address));
    await inBatch([
      `link set ${wireguardLink} mtu ${mtu} up`,
      `addr replace ${ownAddress}/32 dev ${wireguardLink} scope link`,
      ...gone.map((address) => `route del ${address} dev ${wireguardLink} table ${table}`),
      ...[...wanted].map((address) => `route replace ${address} dev ${wireguardLink} table ${table}`),
    ]);
    // A peer's address is behind another link too: a strict check of reverse paths would refuse it here.
    await writeFile(`/proc/sys/net/ipv4/conf/${wireguardLink}/rp_filter`, '2');
    this.#configured = peers;
  }

  /** True while link, address, routes and peers are as {@link #configure} has left them. */
  async #isAsMade(): Promise<boolean> {
    const [routes, peers] = await Promise.all([
      listRoutes(),
      run(['wg', 'show', wireguardLink, 'allowed-ips']),
    ]);
    const wanted = this.#configured ?? [];
    const same = (now: readonly string[], made: readonly string[]) =>
      now.toSorted().join() === made.toSorted().join();
    return (
      isUp(wireguardLink) &&
      Number(linkFile(wireguardLink, 'mtu')) === this.#options.mtu &&
      routes.own &&
      same(
        routes.hosts,
        wanted.map(({ address }) => address),
      ) &&
      same(
        peers.stdout.split('\n').filter(Boolean),
        wanted.map(({ publicKey, address }) => `${publicKey}\t${address}/32`),
      )
    );
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

/** Removes the link, the process behind it, and the rules; traffic is in clear again. */
export async function removeWireguard(): Promise<void> {
  if (linkExists(wireguardLink)) {
    if (await isKernelLink()) await runOk(['ip', 'link', 'del', wireguardLink]);
    else await removeUserspace(wireguardLink);
  }
  const ours = (await listRules()).map(({ priority }) => `rule del priority ${priority}`);
  if (ours.length > 0) await inBatch(ours);
}

interface Rule {
  priority: number;
  dst?: string;
  dstlen?: number;
}

async function listRules(): Promise<Rule[]> {
  const numbers: readonly number[] = Object.values(rules);
  return (await queryJson<Rule>(['ip', '-4', 'rule', 'show'])).filter(({ priority }) =>
    numbers.includes(priority),
  );
}

/** Addresses that are routed to the link, and whether it has its own. */
async function listRoutes(): Promise<{ hosts: string[]; own: boolean }> {
  // Of all tables: the one is an error to ask for until it has a route.
  const argv = ['ip', '-4', 'route', 'show', 'table', 'all', 'dev', wireguardLink] as const;
  const routes = await queryJson<{ dst: string; table?: string }>(argv);
  const of = (wanted: string) => routes.filter((route) => route.table === wanted).map(({ dst }) => dst);
  return { hosts: of(String(table)), own: of('local').includes(ownAddress) };
}

/**
 * The refusing rule comes first and stays, so traffic is never in clear. Correct rules are left alone.
 * @returns true if any was not
 */
async function ensureRules(trustedSubnets: readonly Cidr[]): Promise<boolean> {
  const there = await listRules();
  const has = (wanted: number) => there.some(({ priority }) => priority === wanted);
  const trusted = there
    .filter(({ priority }) => priority === rules.trusted)
    .map(({ dst, dstlen }) => `${dst}/${dstlen ?? 32}`);
  const wanted = trustedSubnets.map(({ subnet }) => String(subnet));
  const missing = wanted.filter((subnet) => !trusted.includes(subnet));
  const gone = trusted.filter((subnet) => !wanted.includes(subnet));
  const changes = [
    ...(has(rules.refused) ? [] : [`rule add priority ${rules.refused} ${sealedTraffic} unreachable`]),
    ...(has(rules.encrypted)
      ? []
      : [`rule add priority ${rules.encrypted} ${sealedTraffic} lookup ${table}`]),
    ...missing.map(
      (subnet) => `rule add priority ${rules.trusted} to ${subnet} ${sealedTraffic} lookup main`,
    ),
    ...gone.map((subnet) => `rule del priority ${rules.trusted} to ${subnet}`),
  ];
  if (changes.length > 0) await inBatch(changes);
  return changes.length > 0;
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
