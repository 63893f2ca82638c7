import { open, type RootDatabase } from 'lmdb';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { ensureRoom } from './room.ts';
import type { Entry, Store, Watcher, Write } from './store.ts';

interface Row {
  value: string;
  revision: number;
}

/** Sorts before every key of ours, and is never listed. */
const revisionKey = '\u0001revision';

/** The store of one host: LMDB in a folder of its own. A crash at any point leaves the last whole commit. */
export class LmdbStore implements Store {
  readonly #root: RootDatabase<Row | number, string>;
  readonly #watchers = new Set<{ prefix: string; watcher: Watcher }>();

  private constructor(root: RootDatabase<Row | number, string>) {
    this.#root = root;
  }

  /** @param path folder, made if it does not exist */
  static open(path: string): LmdbStore {
    ensureRoom(path);
    try {
      return new LmdbStore(open<Row | number, string>({ path, encoding: 'json', noSubdir: false }));
    } catch (error) {
      throw new WeaveError(
        'STATE_CORRUPT',
        `cannot open the state in ${path}: ${messageOf(error)}; 'weavets reset' starts afresh`,
        { cause: error },
      );
    }
  }

  async get(key: string): Promise<Entry | undefined> {
    const row = this.#root.get(key) as Row | undefined;
    return row && { key, ...row };
  }

  async list(prefix: string): Promise<Entry[]> {
    return [...this.#root.getRange({ start: prefix, end: `${prefix}\uffff` })].map(({ key, value }) => ({
      key,
      ...(value as Row),
    }));
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    let revision = 0;
    try {
      const done = await this.#root.transaction(() => {
        const met = writes.every(
          ({ key, expect }) =>
            expect === undefined || ((this.#root.get(key) as Row | undefined)?.revision ?? 0) === expect,
        );
        if (!met) return false;
        revision = ((this.#root.get(revisionKey) as number | undefined) ?? 0) + 1;
        this.#root.putSync(revisionKey, revision);
        for (const { key, value } of writes) {
          if (value === null) this.#root.removeSync(key);
          else this.#root.putSync(key, { value, revision });
        }
        return true;
      });
      // The transaction is visible before it is on disk; what is handed out must be on disk.
      await this.#root.flushed;
      if (!done) return false;
    } catch (error) {
      throw new WeaveError(
        'STORE_UNAVAILABLE',
        `cannot write the state: ${messageOf(error)}; is the disk full?`,
        {
          cause: error,
        },
      );
    }
    for (const { key, value } of writes) {
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
    await this.#root.close();
  }
}
