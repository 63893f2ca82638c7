import { setTimeout as delay } from 'node:timers/promises';
import type { NameTable } from '../dns/names.ts';
import type { Blocks } from '../ipam/blocks.ts';
import { messageOf } from '../lib/errors.ts';
import { KeyedLock } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import type { Ip } from '../model/address.ts';
import type { Datapath, PeerEndpoint } from '../net/overlay/datapath.ts';
import type { KeySeal } from '../net/overlay/seal.ts';
import { hostRecord, type Registration } from '../store/records/host.ts';
import { type Link, LinkKey, linkRecord } from '../store/records/link.ts';
import type { Store, Write } from '../store/store.ts';
import type { NameClaim } from './claim.ts';
import { Hosts } from './hosts.ts';
import { forgetHost, leaveCluster } from './leave.ts';
import { Links, type LinksDeps, sameLink } from './links.ts';

/** A {@link Cluster}'s collaborators. */
export interface ClusterDeps {
  shared: Store;
  datapath: LinksDeps['datapath'] & Pick<Datapath, 'vni' | 'publicKey' | 'setPeers'>;
  names: NameTable;
  seal: KeySeal | null;
  claim: Pick<NameClaim, 'held' | 'heard' | 'release' | 'onRegained'> & Partial<Pick<NameClaim, 'entry'>>;
  /** undefined: this host allocates no addresses */
  blocks: Pick<Blocks, 'suspend'> | undefined;
  /** this host */
  self: { name: string; id: string; nickname: string; address: Ip };
  version: string;
  /** the present state of a container of this host; undefined: nothing of it is left */
  linkOf: (id: string) => Link | undefined;
  /** owners with a link, by {@link ClusterDeps.linkOf} */
  owners: () => string[];
  /** ms for which what the store has lost stays, until who it belongs to puts it back; 30,000 if absent */
  grace?: number;
  /** ms between attempts to write while the store is away; 1,000 if absent */
  pause?: number;
  signal: AbortSignal;
  logger: Logger;
}

/** Who is told what the other hosts do, once all they have is known. */
export interface ClusterFollower extends Pick<LinksDeps, 'linkChanged'> {
  /** a host's daemon came or went */
  aliveChanged(host: string, isAlive: boolean): void;
}

/**
 * This host among the others. It registers how it is reached (`host/<name>`) and what it has
 * (`link/<name>/<container>`), both of which outlive its daemon, as its containers and their network do. From what the
 * others register it programs the datapath and the name table. Only `alive/<name>`, of {@link NameClaim}, ends with the
 * daemon.
 */
export class Cluster {
  readonly #deps: ClusterDeps;
  readonly #hosts: Hosts;
  readonly #links: Links;
  readonly #lock = new KeyedLock();
  readonly #dirty = new Set<string>();
  /** keys still to be written */
  readonly #writing = new Set<string>();
  /** false until it is known which of the containers that the store tells of are still there */
  #complete = false;
  #address: Ip;
  #left = false;
  #follower: ClusterFollower | undefined;

  private constructor(deps: ClusterDeps) {
    this.#deps = deps;
    this.#address = deps.self.address;
    const { shared, datapath, names, seal, self, signal, logger, grace = 30_000 } = deps;
    this.#hosts = new Hosts({
      shared,
      seal,
      vni: datapath.vni,
      self: self.name,
      grace,
      signal,
      logger,
      changed: () => this.#peersChanged(),
      aliveChanged: (host) => {
        this.#links.aliveChanged(host);
        if (this.#links.heard) this.#follower?.aliveChanged(host, this.#hosts.isAlive(host));
      },
      ownHeard: () => {
        deps.claim.heard();
        this.#register();
      },
    });
    this.#links = new Links({
      shared,
      datapath,
      names,
      self: self.name,
      grace,
      signal,
      logger,
      isAlive: (host) => this.#hosts.isAlive(host),
      ownHeard: () => this.#compare(),
      linkChanged: (key, now) => this.#follower?.linkChanged(key, now),
    });
  }

  /** Registers this host and follows the others until the signal; neither needs the store to be there at once. */
  static join(deps: ClusterDeps): Cluster {
    const cluster = new Cluster(deps);
    cluster.#register();
    // The store may have another host's record there.
    deps.claim.onRegained(() => {
      cluster.#register();
      cluster.#compare();
    });
    Promise.all([cluster.#hosts.follow(), cluster.#links.follow()]).catch((error: unknown) => {
      if (!deps.signal.aborted) deps.logger.error({ reason: messageOf(error) }, 'cannot follow the cluster');
    });
    return cluster;
  }

  /** Reports what the other hosts do from here on. */
  follow(follower: ClusterFollower): void {
    this.#follower = follower;
  }

  /** All other hosts with a running daemon. */
  peers(): PeerEndpoint[] {
    return this.#hosts.peers().filter(({ name }) => this.#hosts.isAlive(name));
  }

  /** All other hosts, absent ones too. */
  allPeers(): PeerEndpoint[] {
    return this.#hosts.peers();
  }

  /** What the other hosts have, alive or not. */
  links(): ReturnType<Links['others']> {
    return this.#links.others();
  }

  /** True while the host's daemon is there, or was within its lease. */
  isAlive(name: string): boolean {
    return this.#hosts.isAlive(name);
  }

  /** Name to nickname, of hosts that are gone, too. */
  get nicknames(): ReadonlyMap<string, string> {
    return this.#hosts.nicknames;
  }

  /** Addresses of a container of another host, or of that host itself; none where its daemon does not run. */
  addresses(host: string, container: string): readonly string[] {
    return this.#links.addresses(host, container);
  }

  /** Removes all of the store's records of a host: the others drop it. @throws WeaveError STORE_UNAVAILABLE */
  forget(name: string): Promise<void> {
    return forgetHost(this.#deps.shared, name);
  }

  /** This host leaves the cluster, and publishes nothing more. @throws WeaveError STORE_UNAVAILABLE */
  async leave(): Promise<void> {
    const { shared, self, blocks, claim } = this.#deps;
    this.#left = true;
    claim.release();
    blocks?.suspend('this host has left the cluster; launch it again');
    await Promise.all([...this.#writing].map((key) => this.#lock.idle(key)));
    await leaveCluster(shared, self.name);
  }

  /** This host has a new address: tells the others. */
  moved(address: Ip): void {
    this.#address = address;
    this.#register();
  }

  /** What another host has told of a container of its own. */
  linkOf(host: string, container: string): Link | undefined {
    return this.#links.linkOf(host, container);
  }

  /** Something about this container changed: publishes its current state. */
  changed(id: string): void {
    if (this.#dirty.has(id)) return;
    this.#dirty.add(id);
    // What changes together, as names and link of a start do, is told at once.
    setImmediate(() => {
      this.#dirty.delete(id);
      const { self, linkOf } = this.#deps;
      // A container that this daemon has not checked yet is not gone.
      if (!this.#complete && !linkOf(id)?.mac) return;
      const key = new LinkKey(self.name, id);
      const name = linkRecord.keyOf(key);
      if (!this.#writing.has(name) && this.#links.isHeard(key, linkOf(id))) return;
      void this.#write(name, () => linkRecord.write(key, linkOf(id) ?? null));
    });
  }

  /** All containers of this host have been checked: the store's other records of it are stale. */
  completed(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#compare();
    // If the store could not be read yet.
    for (const owner of this.#deps.owners()) this.changed(owner);
  }

  /**
   * A write that failed by its deadline may still be done later, over a newer one; people can delete keys, and the store
   * can lose them. What differs from what it is, is written anew.
   */
  #compare(): void {
    if (!this.#complete || !this.#links.heard) return;
    const { linkOf, owners } = this.#deps;
    const heard = this.#links.own();
    for (const id of new Set([...heard.keys(), ...owners()])) {
      const now = linkOf(id);
      if (!sameLink(heard.get(id), now)) this.changed(id);
    }
  }

  #register(): void {
    const { self, datapath, seal, version } = this.#deps;
    const { name, id, nickname } = self;
    const address = this.#address;
    if (this.#writing.has(hostRecord.keyOf(name))) return;
    const had = this.#hosts.registration(name);
    const { publicKey } = datapath;
    const opened = had?.key && seal ? openOrNull(seal, had.key, name) : null;
    const same =
      had?.id === id && had.nickname === nickname && had.address === address && had.version === version;
    if (same && had.probes && had.vni === datapath.vni && opened === (seal ? publicKey : null)) return;
    const key = seal && publicKey ? seal.seal(publicKey, name) : null;
    const { vni } = datapath;
    const registration: Registration = { id, nickname, address, vni, version, key, probes: true };
    void this.#write(hostRecord.keyOf(name), () =>
      hostRecord.write(name, { ...registration, address: this.#address }),
    );
  }

  /** Writes the right state until the store takes it; nothing while the name is not this daemon's there. */
  #write(key: string, write: () => Write): Promise<void> {
    const { shared, signal, logger, claim, pause = 1_000 } = this.#deps;
    const named = claim.entry ? [{ key: claim.entry.key, was: claim.entry.value }] : [];
    this.#writing.add(key);
    return this.#lock
      .run(key, async () => {
        while (!signal.aborted && !this.#left && claim.held) {
          try {
            if (await shared.commit([write(), ...named])) return;
          } catch (error) {
            logger.debug({ key, reason: messageOf(error) }, 'cannot tell the cluster yet');
          }
          await delay(pause, undefined, { signal }).catch(() => {});
        }
      })
      .finally(() => this.#writing.delete(key));
  }

  #peersChanged(): void {
    const { datapath, logger } = this.#deps;
    datapath.setPeers(this.#hosts.peers()).catch((error: unknown) => {
      logger.error({ reason: messageOf(error) }, 'cannot reach the other hosts; it is tried again');
    });
  }
}

function openOrNull(seal: KeySeal, sealed: string, name: string): string | null {
  try {
    return seal.open(sealed, name);
  } catch {
    return null;
  }
}
