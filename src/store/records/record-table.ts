import type { Logger } from '../../lib/log.ts';
import type { Entry, Watcher } from '../store.ts';
import type { RecordKind, StoredRecord } from './record-kind.ts';
import { RecordReader } from './record-reader.ts';

/** What a {@link RecordTable} is made of. */
export interface RecordTableDeps<Key, Value> {
  kind: RecordKind<Key, Value>;
  /** Told of each record that came, went (undefined) or was written anew. */
  changed: (
    key: string,
    now: StoredRecord<Key, Value> | undefined,
    before?: StoredRecord<Key, Value>,
  ) => void;
  /** Told after each change, and after each time that all was read, once everything of it was told. */
  settled: (all: boolean) => void;
  /** ms for which a record that the store may have lost stays; 0 if absent */
  grace?: number;
  signal: AbortSignal;
  logger: Logger;
}

/**
 * A live table of one kind of record. A record that somebody deletes goes at once. One that is just
 * not there any more when all is read anew, from a store that may have lost data, may be put back by whoever it belongs
 * to: it stays for a while.
 */
export class RecordTable<Key, Value> implements Watcher {
  readonly #deps: RecordTableDeps<Key, Value>;
  readonly #reader: RecordReader<Key, Value>;
  readonly #records = new Map<string, StoredRecord<Key, Value>>();
  #missing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: RecordTableDeps<Key, Value>) {
    this.#deps = deps;
    this.#reader = new RecordReader(deps.kind, deps.logger);
    deps.signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  get(key: string): StoredRecord<Key, Value> | undefined {
    return this.#records.get(key);
  }

  /** Like {@link get}, but without records the store has lost. */
  present(key: string): StoredRecord<Key, Value> | undefined {
    return this.#missing.has(key) ? undefined : this.#records.get(key);
  }

  list(): StoredRecord<Key, Value>[] {
    return [...this.#records.values()];
  }

  reset(entries: Entry[], continued = false): void {
    const { grace = 0, settled } = this.#deps;
    const missing = new Set(this.#records.keys());
    for (const entry of entries) {
      missing.delete(entry.key);
      this.#put(entry);
    }
    clearTimeout(this.#timer);
    this.#missing = missing;
    if (grace === 0 || continued) this.#dropMissing();
    else if (missing.size > 0) {
      this.#timer = setTimeout(() => {
        this.#dropMissing();
        settled(false);
      }, grace).unref();
    }
    settled(true);
  }

  change({ key, value, revision }: { key: string; value: string | null; revision: number }): void {
    this.#missing.delete(key);
    if (value === null) this.#drop(key);
    else this.#put({ key, value, revision });
    this.#deps.settled(false);
  }

  #put(entry: Entry): void {
    const before = this.#records.get(entry.key);
    if (before?.revision === entry.revision) return;
    const record = this.#reader.read(entry);
    if (record === undefined) return this.#drop(entry.key);
    this.#records.set(entry.key, record);
    this.#deps.changed(entry.key, record, before);
  }

  #drop(key: string): void {
    const before = this.#records.get(key);
    if (before === undefined) return;
    this.#records.delete(key);
    this.#deps.changed(key, undefined, before);
  }

  #dropMissing(): void {
    for (const key of this.#missing) this.#drop(key);
    this.#missing.clear();
  }
}
