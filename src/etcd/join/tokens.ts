import type { Logger } from '../../lib/log.ts';
import { joinRecord } from '../../store/records/join.ts';
import { RecordReader } from '../../store/records/record-reader.ts';
import type { Store } from '../../store/store.ts';
import { hashOf, newSecret } from './token.ts';

/** How a token stands. */
export type TokenState = 'good' | 'unknown' | 'expired';

/**
 * The tokens by which hosts may join, as all hosts of the cluster know them: hashes of their secrets.
 * Errors: WeaveError STORE_UNAVAILABLE.
 */
export class Tokens {
  readonly #store: Store;
  readonly #reader;
  readonly #now: () => number;

  constructor(store: Store, logger: Logger, now: () => number = Date.now) {
    this.#store = store;
    this.#reader = new RecordReader(joinRecord, logger);
    this.#now = now;
  }

  /** Makes one that lasts for so many ms, and drops those that expired over a day ago. @returns its secret */
  async create(ttl: number): Promise<string> {
    const now = this.#now();
    const records = this.#reader.readAll(await this.#store.list(joinRecord.prefix));
    // Recently expired ones are kept, so that their users are told so.
    const over = records.filter(({ value }) => value.expires < now - day).slice(0, 100);
    const secret = newSecret();
    await this.#store.commit([
      joinRecord.write(hashOf(secret), { expires: now + ttl }),
      ...over.map(({ key }) => joinRecord.write(key, null)),
    ]);
    return secret;
  }

  async check(secret: string): Promise<TokenState> {
    const entry = await this.#store.get(joinRecord.keyOf(hashOf(secret)));
    const record = entry && this.#reader.read(entry);
    if (record === undefined) return 'unknown';
    return record.value.expires > this.#now() ? 'good' : 'expired';
  }

  /** @returns false if there is no such token */
  async revoke(secret: string): Promise<boolean> {
    const key = joinRecord.keyOf(hashOf(secret));
    if ((await this.#store.get(key)) === undefined) return false;
    return this.#store.commit([{ key, value: null }]);
  }

  /** @returns how many there were */
  async revokeAll(): Promise<number> {
    const keys = (await this.#store.list(joinRecord.prefix)).map(({ key }) => key);
    for (const key of keys) await this.#store.commit([{ key, value: null }]);
    return keys.length;
  }
}

const day = 24 * 60 * 60 * 1000;
