import { randomUUID } from 'node:crypto';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import { wantRecord } from '../store/records/want.ts';
import type { Entry, Store } from '../store/store.ts';
import type { Range } from './space.ts';

/**
 * How a host asks another for addresses: it writes `want/<owner>/<asker>/<id>` with the range that it could use;
 * the owner gives what it can spare, which shows in the blocks, and then deletes the key, which is the answer.
 */
export class Wants {
  readonly #store: Store;
  readonly #peer: string;
  readonly #timeout: number;
  readonly #signal: AbortSignal;

  /** @param timeout ms to wait for an owner's answer */
  constructor(fields: { store: Store; peer: string; timeout: number; signal: AbortSignal }) {
    this.#store = fields.store;
    this.#peer = fields.peer;
    this.#timeout = fields.timeout;
    this.#signal = fields.signal;
  }

  /** Asks one owner. Resolves when it has answered, or on timeout. */
  async ask(owner: string, { first, last }: Range): Promise<void> {
    const name = `${owner}/${this.#peer}/${randomUUID()}`;
    const key = wantRecord.keyOf(name);
    await this.#store.commit([wantRecord.write(name, { first, last }, { expect: 0, leased: true })]);
    const stop = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#timeout);
      this.#signal.addEventListener('abort', () => resolve(), { signal: stop.signal });
      const watcher = {
        reset: (entries: Entry[]) => entries.length === 0 && resolve(),
        change: ({ value }: { value: string | null }) => value === null && resolve(),
      };
      this.#store.watch(key, watcher, stop.signal).catch(() => resolve());
    });
    clearTimeout(timer);
    stop.abort();
    // Nobody waits for this; if it fails, the key goes with the lease.
    this.#store.commit([{ key, value: null }]).catch(() => {});
  }

  /** Answers other hosts' requests. @param offer gives some of the range to the asker, if it can */
  async serve(offer: (asker: string, range: Range) => Promise<void>, logger: Logger): Promise<void> {
    const reader = new RecordReader(wantRecord, logger);
    const answer = async (key: string, value: string) => {
      const want = reader.read({ key, value, revision: 0 });
      const [, asker] = want?.key.split('/') ?? [];
      if (want && asker !== undefined) await offer(asker, want.value);
      await this.#store.commit([{ key, value: null }]);
    };
    const answerSoon = (key: string, value: string) =>
      answer(key, value).catch((error: unknown) =>
        logger.warn({ key, reason: messageOf(error) }, 'cannot answer a request for addresses'),
      );
    const watcher = {
      reset: (entries: Entry[]) => entries.forEach(({ key, value }) => void answerSoon(key, value)),
      change: ({ key, value }: { key: string; value: string | null }) => {
        if (value !== null) void answerSoon(key, value);
      },
    };
    await this.#store.watch(`${wantRecord.prefix}${this.#peer}/`, watcher, this.#signal);
  }
}
