import { rmSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { markClean, unmarkClean } from './clean-mark.ts';
import { ensureRoom } from './room.ts';
import { makeRow, noTotals, type Row, replaced, type Totals, totalsKey } from './row.ts';
import { changesOf, type Entry, type LocalStore, type Watcher, type Write } from './store.ts';

/** ms that a commit may wait for another */
const patience = 100;

/**
 * The store of one host: LMDB in its own folder. A crash at any point leaves the last complete commit. Damage from
 * outside is found by `repairStore`, before this opens it.
 */
export class LmdbStore implements LocalStore {
  readonly #root: RootDatabase<Row | Totals, string>;
  readonly #path: string;
  readonly #watchers = new Set<{ prefix: string; watcher: Watcher }>();
  /** commits that wait for another */
  readonly #waiting: (() => Promise<void>)[] = [];
  #latest: NodeJS.Timeout | undefined;

  private constructor(path: string, root: RootDatabase<Row | Totals, string>) {
    this.#path = path;
    this.#root = root;
  }

  /** @param path folder, made if it does not exist */
  static open(path: string): LmdbStore {
    ensureRoom(path);
    try {
      unmarkClean(path);
      return new LmdbStore(path, open<Row | Totals, string>({ path, encoding: 'json', noSubdir: false }));
    } catch (error) {
      throw new WeaveError(
        'STATE_CORRUPT',
        `cannot open the state in ${path}: ${messageOf(error)}; move that folder away and launch again; running containers keep their addresses`,
        { cause: error },
      );
    }
  }

  /** Writes a store with these entries into a new folder, and closes it. */
  static async create(path: string, entries: readonly Entry[]): Promise<void> {
    rmSync(path, { recursive: true, force: true });
    const store = LmdbStore.open(path);
    try {
      await store.#write(() => {
        let totals = noTotals;
        for (const { key, value, revision } of entries) {
          const row = makeRow(key, value, revision);
          store.#root.putSync(key, row);
          totals = { ...replaced(totals, undefined, row), revision: Math.max(totals.revision, revision) };
        }
        store.#root.putSync(totalsKey, totals);
        return true;
      });
    } finally {
      await store.close();
    }
  }

  async get(key: string): Promise<Entry | undefined> {
    const row = this.#row(key);
    return row && { key, value: row.value, revision: row.revision };
  }

  async list(prefix: string): Promise<Entry[]> {
    return [...this.#root.getRange({ start: prefix, end: `${prefix}\uffff` })].flatMap(
      ({ key, value: row }) => {
        if (key === totalsKey) return [];
        const { value, revision } = row as Row;
        return [{ key, value, revision }];
      },
    );
  }

  commit(writes: readonly Write[]): Promise<boolean> {
    void this.#begin();
    return this.#commit(writes);
  }

  commitSoon(writes: readonly Write[]): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => this.#commit(writes).then(resolve, reject));
      this.#latest ??= setTimeout(() => void this.#begin(), patience);
    });
  }

  /** Begins what waits. @returns when that has ended */
  #begin(): Promise<unknown> {
    clearTimeout(this.#latest);
    this.#latest = undefined;
    return Promise.all(this.#waiting.splice(0).map((begin) => begin()));
  }

  async #commit(writes: readonly Write[]): Promise<boolean> {
    let revision = 0;
    const changes = changesOf(writes);
    const done = await this.#write(() => {
      const met = writes.every(({ key, expect, was }) => {
        const row = this.#row(key);
        return (
          (expect === undefined || (row?.revision ?? 0) === expect) &&
          (was === undefined || row?.value === was)
        );
      });
      if (!met) return false;
      let totals = (this.#root.get(totalsKey) as Totals | undefined) ?? noTotals;
      revision = totals.revision + 1;
      for (const { key, value } of changes) {
        const row = value === null ? undefined : makeRow(key, value, revision);
        totals = replaced(totals, this.#row(key), row);
        if (row) this.#root.putSync(key, row);
        else this.#root.removeSync(key);
      }
      this.#root.putSync(totalsKey, { ...totals, revision });
      return true;
    });
    if (!done) return false;
    for (const { key, value } of changes) {
      for (const { prefix, watcher } of this.#watchers) {
        if (key.startsWith(prefix)) watcher.change({ key, value, revision });
      }
    }
    return true;
  }

  async watch(prefix: string, watcher: Watcher, signal: AbortSignal): Promise<void> {
    const entry = { prefix, watcher };
    this.#watchers.add(entry);
    signal.addEventListener('abort', () => this.#watchers.delete(entry), { once: true });
    watcher.reset(await this.list(prefix));
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    await this.#begin();
    await this.#root.close();
    markClean(this.#path);
  }

  #row(key: string): Row | undefined {
    return this.#root.get(key) as Row | undefined;
  }

  /** Runs it in a transaction. @returns what it returned, once that is on disk */
  async #write(task: () => boolean): Promise<boolean> {
    try {
      const done = await this.#root.transaction(task);
      // The transaction is visible before it is on disk; what is handed out must be on disk.
      await this.#root.flushed;
      return done;
    } catch (error) {
      throw new WeaveError(
        'STORE_UNAVAILABLE',
        `cannot write the state: ${messageOf(error)}; is the disk full?`,
        { cause: error },
      );
    }
  }
}
