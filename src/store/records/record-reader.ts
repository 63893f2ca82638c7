import type { Logger } from '../../lib/log.ts';
import type { Entry } from '../store.ts';
import type { RecordKind, StoredRecord } from './record-kind.ts';

/** Bad records to remember, so that each is logged only once. */
const mostRemembered = 10_000;
/** Characters of a bad value in a log line. */
const shown = 200;

/** Reads records of one kind from a store: typed, or ignored with one line in the log. */
export class RecordReader<Key, Value> {
  readonly #kind: RecordKind<Key, Value>;
  readonly #logger: Logger;
  /** key to the bad value in the log */
  readonly #told = new Map<string, string>();

  constructor(kind: RecordKind<Key, Value>, logger: Logger) {
    this.#kind = kind;
    this.#logger = logger;
  }

  /** @returns undefined for what is no such record */
  read({ key, value, revision }: Entry): StoredRecord<Key, Value> | undefined {
    const parsed = this.#kind.parse({ key, value });
    if (typeof parsed !== 'string') {
      this.#told.delete(key);
      return { ...parsed, revision };
    }
    if (this.#told.get(key) === value) return undefined;
    if (this.#told.size < mostRemembered) this.#told.set(key, value);
    this.#logger.error(
      { key, value: value.slice(0, shown), reason: parsed },
      'ignoring a malformed record in the store',
    );
    return undefined;
  }

  /** Those of the entries that are records of this kind. */
  readAll(entries: readonly Entry[]): StoredRecord<Key, Value>[] {
    return entries.flatMap((entry) => this.read(entry) ?? []);
  }
}
