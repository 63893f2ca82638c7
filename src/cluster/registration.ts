import { setTimeout as delay } from 'node:timers/promises';
import type { NameTable } from '../dns/names.ts';
import { messageOf } from '../lib/errors.ts';
import { KeyedLock } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import type { Datapath, PeerEndpoint } from '../net/overlay/datapath.ts';
import type { KeySeal } from '../net/overlay/seal.ts';
import type { Store } from '../store/store.ts';
import { followLinks, type Link, type LinksDeps, linkKey } from './links.ts';

/** A host as it registers itself. */
interface Registration {
  nickname: string;
  /** underlay IPv4 */
  address: string;
  /** VXLAN network identifier */
  vni: number;
  version: string;
  /** WireGuard's public key, sealed with the password */
  key: string | null;
}

/** What a {@link Cluster} is made of. */
export interface ClusterDeps {
  shared: Store;
  datapath: LinksDeps['datapath'] & Pick<Datapath, 'vni' | 'publicKey' | 'setPeers'>;
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
 * (`link/<name>/<container>`); from the others' registrations it programs the datapath and the name table. What
 * outlives the lease is the nickname (`host/<name>`), by which people speak of a host that is gone.
 */
export class Cluster {
  readonly #parts: ClusterDeps;
  readonly #lock = new KeyedLock();
  readonly #dirty = new Set<string>();
  /** containers that the others were told of in this life of the daemon */
  readonly #told = new Set<string>();
  readonly #peers = new Map<string, PeerEndpoint>();
  readonly #nicknames = new Map<string, string>();

  private constructor(parts: ClusterDeps) {
    this.#parts = parts;
  }

  /** Registers this host and follows the others until the signal; neither needs the store to be there at once. */
  static join(parts: ClusterDeps): Cluster {
    const cluster = new Cluster(parts);
    const { shared, datapath, names, self, signal, logger } = parts;
    cluster.#register();
    const heardOwn = (id: string, value: string | null) => cluster.#heardOwn(id, value);
    const following = [
      cluster.#followPeers(),
      cluster.#followNicknames(),
      followLinks({ shared, datapath, names, self: self.name, heardOwn, signal, logger }),
    ];
    Promise.all(following).catch((error: unknown) => {
      if (!signal.aborted) logger.error({ reason: messageOf(error) }, 'cannot follow the cluster');
    });
    return cluster;
  }

  /** All hosts but this one. */
  peers(): PeerEndpoint[] {
    return [...this.#peers.values()];
  }

  /** Name to nickname, of hosts that are gone, too. */
  get nicknames(): ReadonlyMap<string, string> {
    return this.#nicknames;
  }

  /** Nobody speaks of this host any more. @throws WeaveError STORE_UNAVAILABLE */
  async forget(name: string): Promise<void> {
    await this.#parts.shared.commit([{ key: `host/${name}`, value: null }]);
  }

  /** Something of this container changed: the others are told what it is now. */
  changed(id: string): void {
    if (this.#dirty.has(id)) return;
    this.#dirty.add(id);
    this.#told.add(id);
    // What changes together, as names and link of a start do, is told at once.
    setImmediate(() => {
      this.#dirty.delete(id);
      const { self, linkOf } = this.#parts;
      void this.#write(linkKey(self.name, id), () => linkOf(id));
    });
  }

  #register(): void {
    const { self, datapath, seal, version } = this.#parts;
    const key = seal && datapath.publicKey ? seal.seal(datapath.publicKey, self.name) : null;
    const { nickname, address } = self;
    const registration: Registration = { nickname, address, vni: datapath.vni, version, key };
    void this.#write(`peer/${self.name}`, () => registration);
    void this.#write(`host/${self.name}`, () => ({ nickname }), false);
  }

  /** Writes the value that is right when the store takes it, until it does. */
  #write(key: string, value: () => object | undefined, leased = true): Promise<void> {
    const { shared, signal, logger } = this.#parts;
    return this.#lock.run(key, async () => {
      while (!signal.aborted) {
        try {
          const now = value();
          await shared.commit([{ key, value: now === undefined ? null : JSON.stringify(now), leased }]);
          return;
        } catch (error) {
          logger.debug({ key, reason: messageOf(error) }, 'cannot tell the cluster yet');
          await delay(retryPause, undefined, { signal }).catch(() => {});
        }
      }
    });
  }

  /**
   * A write that failed by its deadline may still be done later, over a newer one; and people can delete keys. What is
   * heard of a container that differs from what it is, is written anew.
   */
  #heardOwn(id: string, value: string | null): void {
    if (!this.#told.has(id)) return;
    const now = this.#parts.linkOf(id);
    if (now === undefined && value === null) this.#told.delete(id);
    else if (value !== (now === undefined ? null : JSON.stringify(now))) this.changed(id);
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
        this.#peers.delete(nameOf(key));
        if (value !== null) this.#putPeer(key, value);
        this.#peersChanged();
      },
    };
    return shared.watch('peer/', watcher, signal);
  }

  #putPeer(key: string, value: string): void {
    const { self, datapath, seal, logger } = this.#parts;
    const name = nameOf(key);
    if (name === self.name) return;
    const { nickname, address, vni, key: sealed } = parse<Registration>(value);
    if (nickname === undefined || address === undefined || vni !== datapath.vni) {
      logger.error({ peer: name, value }, 'ignoring a peer with an invalid registration');
      return;
    }
    let publicKey: string | undefined;
    try {
      publicKey = seal && sealed ? seal.open(sealed, name) : undefined;
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
      logger.error({ reason: messageOf(error) }, 'cannot reach the other hosts; it is tried again');
    });
  }

  #followNicknames(): Promise<void> {
    const { shared, signal } = this.#parts;
    const put = ({ key, value }: { key: string; value: string | null }) => {
      const { nickname } = parse<{ nickname: string }>(value ?? '');
      if (nickname === undefined) this.#nicknames.delete(nameOf(key));
      else this.#nicknames.set(nameOf(key), nickname);
    };
    const watcher = {
      reset: (entries: { key: string; value: string }[]) => {
        this.#nicknames.clear();
        entries.forEach(put);
      },
      change: put,
    };
    return shared.watch('host/', watcher, signal);
  }
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

/** Returns {} for invalid JSON. */
function parse<T>(value: string): Partial<T> {
  try {
    return (JSON.parse(value) ?? {}) as Partial<T>;
  } catch {
    return {};
  }
}
