import { setTimeout as delay } from 'node:timers/promises';
import type { NameTable } from '../dns/names.ts';
import { messageOf } from '../lib/errors.ts';
import { KeyedLock } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import type { Datapath, PeerEndpoint } from '../net/datapath.ts';
import type { KeySeal } from '../net/seal.ts';
import type { Store } from '../store/store.ts';

/** What one container, or the host itself, is to the other hosts. */
export interface Link {
  /** null: only names */
  mac: string | null;
  ips: readonly string[];
  names: readonly { hostname: string; address: string }[];
}

/** A host as it registers itself. */
interface Registration {
  nickname: string;
  /** underlay IPv4 */
  address: string;
  version: string;
  /** WireGuard's public key, sealed with the password */
  key: string | null;
}

/** What a {@link Cluster} is made of. */
export interface ClusterParts {
  shared: Store;
  datapath: Datapath;
  names: NameTable;
  seal: KeySeal | null;
  /** this host */
  self: Omit<PeerEndpoint, 'publicKey'>;
  version: string;
  /** the present state of a container of this host; undefined: nothing of it is left */
  linkOf: (id: string) => Link | undefined;
  signal: AbortSignal;
  logger: Logger;
}

/** ms between attempts to write while the store is away. */
const retryPause = 1_000;

/**
 * This host among the others. Under its lease it registers itself (`peer/<name>`) and what it has
 * (`link/<name>/<container>`); from the others' registrations it programs the datapath and the name table. When a
 * host's lease ends, all that it had goes at once.
 */
export class Cluster {
  readonly #parts: ClusterParts;
  readonly #lock = new KeyedLock();
  readonly #dirty = new Set<string>();
  readonly #peers = new Map<string, PeerEndpoint>();
  readonly #links = new Map<string, Link>();

  private constructor(parts: ClusterParts) {
    this.#parts = parts;
  }

  /** Registers this host and follows the others until the signal; neither needs the store to be there at once. */
  static join(parts: ClusterParts): Cluster {
    const cluster = new Cluster(parts);
    const { self, datapath, seal, version, signal, logger } = parts;
    const key = seal && datapath.publicKey ? seal.seal(datapath.publicKey, self.name) : null;
    const registration: Registration = { nickname: self.nickname, address: self.address, version, key };
    void cluster.#write(`peer/${self.name}`, () => registration);
    const failed = (error: unknown) => {
      if (!signal.aborted) logger.error({ reason: messageOf(error) }, 'cannot follow the cluster');
    };
    cluster.#followPeers().catch(failed);
    cluster.#followLinks().catch(failed);
    return cluster;
  }

  /** All hosts but this one. */
  peers(): PeerEndpoint[] {
    return [...this.#peers.values()];
  }

  /** Something of this container changed: the others are told what it is now. */
  changed(id: string): void {
    if (this.#dirty.has(id)) return;
    this.#dirty.add(id);
    // What changes together, as names and link of a start do, is told at once.
    setImmediate(() => {
      this.#dirty.delete(id);
      const { self, linkOf } = this.#parts;
      void this.#write(`link/${self.name}/${id}`, () => linkOf(id));
    });
  }

  /** Writes the value that is right when the store takes it, until it does. */
  #write(key: string, value: () => object | undefined): Promise<void> {
    const { shared, signal, logger } = this.#parts;
    return this.#lock.run(key, async () => {
      while (!signal.aborted) {
        try {
          const now = value();
          await shared.commit([{ key, value: now === undefined ? null : JSON.stringify(now), leased: true }]);
          return;
        } catch (error) {
          logger.debug({ key, reason: messageOf(error) }, 'cannot tell the cluster yet');
          await delay(retryPause, undefined, { signal }).catch(() => {});
        }
      }
    });
  }

  #followPeers(): Promise<void> {
    const { shared, signal } = this.#parts;
    const watcher = {
      reset: (entries: { key: string; value: string }[]) => {
        this.#peers.clear();
        for (const { key, value } of entries) this.#putPeer(key, value);
        this.#peersChanged();
      },
      change: ({ key, value }: { key: string; value: string | null }) => {
        if (value === null) this.#peers.delete(key.slice('peer/'.length));
        else this.#putPeer(key, value);
        this.#peersChanged();
      },
    };
    return shared.watch('peer/', watcher, signal);
  }

  #putPeer(key: string, value: string): void {
    const { self, seal, logger } = this.#parts;
    const name = key.slice('peer/'.length);
    if (name === self.name) return;
    const { nickname, address, key: sealed } = JSON.parse(value) as Registration;
    let publicKey: string | undefined;
    try {
      publicKey = seal && sealed !== null ? seal.open(sealed, name) : undefined;
    } catch (error) {
      logger.error(
        { peer: nickname, reason: messageOf(error) },
        'a host whose key is not sealed with our password',
      );
    }
    this.#peers.set(name, { name, nickname, address, publicKey });
  }

  #peersChanged(): void {
    const { datapath, logger } = this.#parts;
    datapath.setPeers(this.peers()).catch((error: unknown) => {
      logger.error({ reason: messageOf(error) }, 'cannot reach the other hosts');
    });
  }

  #followLinks(): Promise<void> {
    const { shared, datapath, signal } = this.#parts;
    const watcher = {
      reset: (entries: { key: string; value: string }[]) => {
        const gone = new Set(this.#links.keys());
        const remote = entries.flatMap(({ key, value }) => {
          gone.delete(key);
          const link = this.#putLink(key, value);
          return link?.mac ? [{ mac: link.mac, ips: link.ips, peer: ownerOf(key) }] : [];
        });
        for (const key of gone) this.#dropLink(key);
        this.#report(datapath.resetRemote(remote));
      },
      change: ({ key, value }: { key: string; value: string | null }) => {
        if (ownerOf(key) === this.#parts.self.name) return;
        const before = this.#links.get(key);
        if (value === null) this.#dropLink(key);
        const link = value === null ? undefined : this.#putLink(key, value);
        if (link?.mac) this.#report(datapath.putRemote({ mac: link.mac, ips: link.ips, peer: ownerOf(key) }));
        else if (before?.mac) this.#report(datapath.deleteRemote(before.mac));
      },
    };
    return shared.watch('link/', watcher, signal);
  }

  /** @returns undefined for what is this host's own */
  #putLink(key: string, value: string): Link | undefined {
    const origin = ownerOf(key);
    if (origin === this.#parts.self.name) return undefined;
    const link = JSON.parse(value) as Link;
    const containerId = containerOf(key);
    this.#parts.names.remove({ containerId, origin });
    for (const { hostname, address } of link.names) {
      this.#parts.names.add({ hostname, address, containerId, origin });
    }
    this.#links.set(key, link);
    return link;
  }

  #dropLink(key: string): void {
    this.#parts.names.remove({ containerId: containerOf(key), origin: ownerOf(key) });
    this.#links.delete(key);
  }

  #report(programmed: Promise<void>): void {
    programmed.catch((error: unknown) => {
      this.#parts.logger.error({ reason: messageOf(error) }, 'cannot program the forwarding to other hosts');
    });
  }
}

function ownerOf(key: string): string {
  return key.split('/')[1] ?? '';
}

function containerOf(key: string): string {
  return key.split('/')[2] ?? '';
}
