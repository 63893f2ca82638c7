import { setImmediate as turn } from 'node:timers/promises';
import { WeaveError } from '../../../src/lib/errors.ts';
import { changesOf, type Entry, type Store, type Watcher, type Write } from '../../../src/store/store.ts';

/** Numbers from 0 to n - 1, the same for the same seed. */
export function randomOf(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

interface Watch {
  prefix: string;
  watcher: Watcher;
  signal: AbortSignal;
  /** Not yet told: in order for a key, in any order among keys. */
  pending: Map<string, { key: string; value: string | null; revision: number }[]>;
  stale: boolean;
}

interface Row {
  value: string;
  revision: number;
  /** goes when this view's lease ends */
  lease?: View | undefined;
}

/** What a store held once. */
export interface Snapshot {
  rows: ReadonlyMap<string, Row>;
  revision: number;
}

/** What a store holds, for the views that hosts have of it. */
export class Rows {
  rows = new Map<string, Row>();
  readonly views = new Set<View>();
  /** commits under way that were given up: they are done later, or fail */
  late = 0;
  /** how often it was set back: what was under way to the store before never reaches the one after */
  restored = 0;
  #revision = 0;

  get snapshot(): Snapshot {
    return { rows: new Map(this.rows), revision: this.#revision };
  }

  /** Grows with each change. */
  get revision(): number {
    return this.#revision;
  }

  /** Sets all back; every session ends, and revisions are counted on from there. */
  restore({ rows, revision }: Snapshot): void {
    this.rows = new Map(rows);
    this.#revision = revision;
    this.restored++;
    for (const view of this.views) view.reconnect();
  }

  /** A lease ends; its keys go. */
  lapse(view: View): void {
    const keys = [...this.rows].filter(([, { lease }]) => lease === view).map(([key]) => key);
    if (keys.length > 0) this.apply(keys.map((key) => ({ key, value: null })));
  }

  list(prefix: string): Entry[] {
    return [...this.rows]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { value, revision }]) => ({ key, value, revision }));
  }

  apply(writes: readonly Write[], by?: View): boolean {
    const met = writes.every(({ key, expect, was }) => {
      const row = this.rows.get(key);
      return (
        (expect === undefined || (row?.revision ?? 0) === expect) && (was === undefined || row?.value === was)
      );
    });
    if (!met) return false;
    const revision = ++this.#revision;
    for (const { key, value, leased } of changesOf(writes)) {
      if (value === null) this.rows.delete(key);
      else this.rows.set(key, { value, revision, lease: leased ? by : undefined });
      for (const view of this.views) view.heard({ key, value, revision });
    }
    return true;
  }
}

/**
 * One host's way to a store, with what networks do: calls take their time; when cut they fail, and a commit that
 * failed was done, was not done, or will be done later; changes come late and mixed, and after a cut as a reset.
 */
export class View implements Store {
  readonly #rows: Rows;
  readonly #random: (n: number) => number;
  readonly #watches = new Set<Watch>();
  /** keys that live by this view's lease, as EtcdLease has them */
  readonly #kept = new Map<string, string>();
  cut = false;
  /** Now and then a commit fails even so. */
  flaky = true;
  /** The host has crashed: calls never return. */
  dead = false;

  constructor(rows: Rows, random: (n: number) => number) {
    this.#rows = rows;
    this.#random = random;
    rows.views.add(this);
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#call(() => {
      const row = this.#rows.rows.get(key);
      return row && { key, value: row.value, revision: row.revision };
    });
  }

  list(prefix: string): Promise<Entry[]> {
    return this.#call(() => this.#rows.list(prefix));
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    const changes = changesOf(writes);
    for (const { key } of changes) this.#kept.delete(key);
    if (!this.cut && !(this.flaky && this.#random(8) === 0)) {
      const done = await this.#call(() => this.#rows.apply(writes, this));
      for (const { key, value, leased } of changes) {
        if (done && leased && value !== null) this.#kept.set(key, value);
      }
      return done;
    }
    const fate = this.#random(3);
    if (fate === 0) this.#rows.apply(writes, this);
    if (fate === 1) {
      this.#rows.late++;
      const { restored } = this.#rows;
      void this.#pause(60).then(() => {
        this.#rows.late--;
        if (this.#rows.restored === restored) this.#rows.apply(writes, this);
      });
    }
    return this.#call(() => {
      throw new WeaveError('STORE_UNAVAILABLE', 'no answer');
    });
  }

  async watch(prefix: string, watcher: Watcher, signal: AbortSignal): Promise<void> {
    const watch = { prefix, watcher, signal, pending: new Map(), stale: true };
    this.#watches.add(watch);
    while (watch.stale && !signal.aborted && !this.dead) {
      await this.#pause(5);
      this.#tell(watch);
    }
  }

  async close(): Promise<void> {
    this.#rows.views.delete(this);
  }

  heard(change: { key: string; value: string | null; revision: number }): void {
    for (const watch of this.#watches) {
      if (!change.key.startsWith(watch.prefix)) continue;
      watch.pending.set(change.key, [...(watch.pending.get(change.key) ?? []), change]);
      void this.#pause(8).then(() => this.#tell(watch));
    }
  }

  heal(): void {
    this.cut = false;
    this.#putBack();
    for (const watch of this.#watches) void this.#pause(8).then(() => this.#tell(watch));
  }

  /** The session has ended, and another begins if this view is not cut. */
  reconnect(): void {
    for (const watch of this.#watches) watch.stale = true;
    if (!this.cut) this.heal();
  }

  #putBack(): void {
    for (const [key, value] of this.#kept) {
      const row = this.#rows.rows.get(key);
      if (row?.lease === this) continue;
      if (row === undefined || row.value === value) this.#rows.apply([{ key, value, leased: true }], this);
      else this.#kept.delete(key);
    }
  }

  #tell(watch: Watch): void {
    if (watch.signal.aborted) this.#watches.delete(watch);
    else if (this.cut) watch.stale = true;
    else if (watch.stale) {
      watch.stale = false;
      watch.pending.clear();
      watch.watcher.reset(this.#rows.list(watch.prefix));
    } else {
      const keys = [...watch.pending.keys()];
      const key = keys[this.#random(Math.max(keys.length, 1))];
      const queue = watch.pending.get(key ?? '');
      const change = queue?.shift();
      if (queue?.length === 0) watch.pending.delete(key as string);
      if (change && !this.dead) watch.watcher.change(change);
    }
  }

  async #call<T>(answer: () => T): Promise<T> {
    await this.#pause(5);
    if (this.dead) return new Promise(() => {});
    if (this.cut) throw new WeaveError('STORE_UNAVAILABLE', 'cut off');
    const result = answer();
    await this.#pause(5);
    if (this.dead) return new Promise(() => {});
    // Done, but the answer is lost.
    if (this.cut) throw new WeaveError('STORE_UNAVAILABLE', 'cut off');
    return result;
  }

  async #pause(most: number): Promise<void> {
    for (let n = this.#random(most + 1); n > 0; n--) await turn();
  }
}
