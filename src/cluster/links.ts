import type { NameTable } from '../dns/names.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Datapath } from '../net/overlay/datapath.ts';
import type { RemoteEntry } from '../net/overlay/forwarding.ts';
import { type Link, LinkKey, linkRecord } from '../store/records/link.ts';
import type { StoredRecord } from '../store/records/record-kind.ts';
import { RecordTable } from '../store/records/record-table.ts';
import type { Store } from '../store/store.ts';
import { Claims } from './claims.ts';

/** What {@link Links} needs. */
export interface LinksDeps {
  shared: Store;
  datapath: Pick<Datapath, 'resetRemote' | 'putRemote' | 'deleteRemote'>;
  names: NameTable;
  /** name of this host */
  self: string;
  /** whether a host's daemon runs */
  isAlive: (host: string) => boolean;
  /** called when this host's own links may be wrong */
  ownHeard: () => void;
  /** told of each link of another host that came, went (undefined) or is another, once all was heard */
  linkChanged: (key: LinkKey, now: Link | undefined) => void;
  /** ms for which a link lost by the store stays */
  grace: number;
  signal: AbortSignal;
  logger: Logger;
}

type LinkEntry = StoredRecord<LinkKey, Link>;

/**
 * What the hosts publish about their containers. A container's location stays programmed until it is known to be wrong:
 * its host changes it or is removed, or its address or MAC is seen elsewhere. Names last as long as the host's daemon.
 */
export class Links {
  readonly #deps: LinksDeps;
  readonly #table: RecordTable<LinkKey, Link>;
  /** host to the keys of its links */
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #claims = new Claims();
  /** key to what the datapath has */
  readonly #given = new Map<string, RemoteEntry>();
  readonly #dirty = new Set<string>();
  #heard = false;
  #ownChanged = false;

  constructor(deps: LinksDeps) {
    this.#deps = deps;
    this.#table = new RecordTable({
      kind: linkRecord,
      changed: (key, now, before) => this.#changed(key, now, before),
      settled: (all) => this.#settled(all),
      grace: deps.grace,
      signal: deps.signal,
      logger: deps.logger,
    });
  }

  /** Follows until the signal. */
  follow(): Promise<void> {
    return this.#deps.shared.watch(linkRecord.prefix, this.#table, this.#deps.signal);
  }

  /** True once everything has been read. */
  get heard(): boolean {
    return this.#heard;
  }

  /** What a host has told of a container; undefined: nothing. */
  linkOf(host: string, container: string): Link | undefined {
    return this.#table.get(linkRecord.keyOf(new LinkKey(host, container)))?.value;
  }

  /** What the other hosts have, alive or not. */
  others(): readonly LinkEntry[] {
    return this.#table.list().filter(({ key }) => key.host !== this.#deps.self);
  }

  /** The store's records of this host: container to link. */
  own(): Map<string, Link> {
    const keys = [...(this.#keysOf.get(this.#deps.self) ?? [])];
    return new Map(
      keys.flatMap((key) => {
        const entry = this.#table.present(key);
        return entry ? [[entry.key.container, entry.value]] : [];
      }),
    );
  }

  /** True when the store is known to have this of a link; undefined: not to have any. */
  isHeard(key: LinkKey, link: Link | undefined): boolean {
    return this.#heard && sameLink(this.#table.present(linkRecord.keyOf(key))?.value, link);
  }

  /** A host's daemon has come or gone. */
  aliveChanged(host: string): void {
    for (const key of this.#keysOf.get(host) ?? []) {
      const entry = this.#table.get(key);
      if (entry === undefined) continue;
      this.#setNames(entry);
      for (const thing of thingsOf(entry.value)) this.#touch(thing);
    }
    this.#apply();
  }

  #changed(key: string, now: LinkEntry | undefined, before: LinkEntry | undefined): void {
    const entry = now ?? before;
    if (entry === undefined) return;
    const keys = this.#keysOf.get(entry.key.host) ?? new Set();
    this.#keysOf.set(entry.key.host, keys);
    if (now) keys.add(key);
    else keys.delete(key);
    if (keys.size === 0) this.#keysOf.delete(entry.key.host);
    if (entry.key.host === this.#deps.self) this.#ownChanged = true;
    else if (this.#heard) this.#deps.linkChanged(entry.key, now?.value);
    this.#dirty.add(key);
    for (const thing of before ? thingsOf(before.value) : []) {
      this.#claims.remove(thing, key);
      this.#touch(thing);
    }
    for (const thing of now ? thingsOf(now.value) : []) {
      this.#claims.add(thing, key);
      this.#touch(thing);
    }
    if (now) this.#setNames(now);
    else this.#removeNames(entry);
  }

  #settled(all: boolean): void {
    if (this.#heard) this.#apply();
    else {
      this.#heard = true;
      this.#dirty.clear();
      for (const { key } of this.#table.list()) {
        const name = linkRecord.keyOf(key);
        const entry = this.#entryOf(name);
        if (entry) this.#given.set(name, entry);
      }
      this.#report(this.#deps.datapath.resetRemote([...this.#given.values()]));
    }
    if (all || this.#ownChanged) this.#deps.ownHeard();
    this.#ownChanged = false;
  }

  /** All claimants of this must be checked. */
  #touch(thing: string): void {
    for (const key of this.#claims.of(thing)) this.#dirty.add(key);
  }

  #apply(): void {
    if (!this.#heard) return;
    const { datapath } = this.#deps;
    const gone: RemoteEntry[] = [];
    for (const key of this.#dirty) {
      const before = this.#given.get(key);
      const now = this.#entryOf(key);
      if (now) this.#given.set(key, now);
      else this.#given.delete(key);
      if (before && before.mac !== now?.mac) gone.push(before);
      if (now && !same(before, now)) this.#report(datapath.putRemote(now));
    }
    this.#dirty.clear();
    // Last: a MAC that is on another host by now stays, without a moment of being nowhere.
    for (const { mac, peer } of gone) this.#report(datapath.deleteRemote(mac, peer));
  }

  /** A link's entry for the datapath; undefined: none. */
  #entryOf(key: string): RemoteEntry | undefined {
    const { key: id, value } = this.#table.get(key) ?? {};
    if (!id || !value?.mac || id.host === this.#deps.self || this.#winner(value.mac) !== key)
      return undefined;
    return {
      mac: value.mac,
      ips: value.ips.filter((ip) => this.#winner(ip) === key),
      peer: id.host,
    };
  }

  /** Of several claimants of an address or MAC: one whose host is alive, then the latest. */
  #winner(thing: string): string | undefined {
    const [only, ...others] = this.#claims.of(thing);
    if (others.length === 0 || only === undefined) return only;
    let winner = only;
    for (const key of others) if (this.#rank(key) > this.#rank(winner)) winner = key;
    return winner;
  }

  #rank(key: string): number {
    const entry = this.#table.get(key);
    if (entry === undefined) return 0;
    const { host } = entry.key;
    const alive = host === this.#deps.self || this.#deps.isAlive(host);
    // Revisions are far below.
    return entry.revision + (alive ? 2 ** 52 : 0);
  }

  #setNames(entry: LinkEntry): void {
    const { host: origin, container: containerId } = entry.key;
    if (origin === this.#deps.self) return;
    this.#removeNames(entry);
    if (!this.#deps.isAlive(origin)) return;
    const { names, wildcards = [], ports = [] } = entry.value;
    for (const { hostname, address } of [...names, ...wildcards]) {
      this.#deps.names.add({ hostname, address, containerId, origin });
    }
    this.#deps.names.setPorts(containerId, ports);
  }

  /** Addresses of what a host has under this name; none where its daemon does not run. */
  addresses(host: string, container: string): readonly string[] {
    if (!this.#deps.isAlive(host)) return [];
    return this.#table.present(linkRecord.keyOf(new LinkKey(host, container)))?.value.ips ?? [];
  }

  #removeNames({ key }: LinkEntry): void {
    if (key.host === this.#deps.self) return;
    this.#deps.names.remove({ containerId: key.container, origin: key.host });
    this.#deps.names.setPorts(key.container, []);
  }

  #report(programmed: Promise<void>): void {
    programmed.catch((error: unknown) =>
      this.#deps.logger.error(
        { reason: messageOf(error) },
        'cannot program the forwarding to other hosts; it is tried again',
      ),
    );
  }
}

export function sameLink(a: Link | undefined, b: Link | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));
}

/** What must be unique about a link. */
function thingsOf({ mac, ips }: Link): string[] {
  return mac === null ? [] : [mac, ...ips];
}

function same(a: RemoteEntry | undefined, b: RemoteEntry): boolean {
  return a?.mac === b.mac && a.peer === b.peer && a.ips.join() === b.ips.join();
}
