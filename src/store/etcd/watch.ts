import type { IKeyValue, IWatchResponse, Range } from 'etcd3';
import { messageOf } from '../../lib/errors.ts';
import type { Entry, Watcher } from '../store.ts';
import { library } from './library.ts';
import type { EtcdSession } from './session.ts';

/** ms in which a watch stream must answer when asked whether it lives, and a count must come. */
const checkTimeout = 5_000;
/** ms for reading one page of a prefix. */
const pageTimeout = 10_000;
/**
 * Keys of a page. A thousand hosts that read 100,000 keys each must not make etcd hold all of it a thousand times, nor
 * start anew because the whole took too long; smaller pages cost etcd 3.4 more, as it counts what is left at each.
 */
const pageSize = 10_000;
/** Keys above which a new session goes on where the last one ended, and is not counted at each look. */
const many = 5_000;

/**
 * One watched prefix. All of it is read, and changes are followed from that very revision, so nothing is missed in
 * between; what the stream itself might lose shows in {@link verify}. A new session reads everything again, which
 * repairs whatever went wrong; but with {@link many} keys it continues from the last revision, or every host would read
 * all of them whenever etcd was away.
 */
export class EtcdWatch {
  readonly #range: Range;
  readonly #root: string;
  readonly #watcher: Watcher;
  readonly #signal: AbortSignal;
  /** Revision up to which the watcher has been told everything, and how many keys there were then. */
  #revision = 0;
  #count = 0;
  /** The newest write that it was told of. */
  #lastPut: { key: Buffer; revision: number } | undefined;
  #first: () => void = () => {};
  #probe: { write: () => void; answered: () => void } | undefined;
  /** Resolved when the first reset was given, or `signal` has ended. */
  readonly begun: Promise<void>;

  /** @param root what every key in etcd begins with, and none outside */
  constructor(fields: { root: string; prefix: string; watcher: Watcher; signal: AbortSignal }) {
    this.#root = fields.root;
    this.#range = library().Range.prefix(fields.root + fields.prefix);
    this.#watcher = fields.watcher;
    this.#signal = fields.signal;
    this.begun = new Promise((resolve) => {
      this.#first = resolve;
    });
    fields.signal.addEventListener('abort', this.#first, { once: true });
  }

  /** Gives a reset where it can't go on, then all changes until the session or the watch ends. */
  async attach(session: EtcdSession): Promise<void> {
    try {
      const continued = await this.#isContinued(session);
      if (!continued || this.#count < many) await this.#readAll(session, continued);
    } catch (error) {
      session.end(error);
      throw error;
    }
    if (this.#signal.aborted) return;
    this.#first();
    await this.#follow(session);
  }

  /** True when etcd's history is still the one that was followed, with nothing compacted away since. */
  async #isContinued(session: EtcdSession): Promise<boolean> {
    if (!this.#lastPut) return false;
    const { key, revision } = this.#lastPut;
    try {
      // If etcd was set back to an earlier state, another write has this revision, or none.
      const { header, kvs } = await session.call(
        (client, options) => client.kv.range({ key, revision }, options),
        checkTimeout,
      );
      return Number(header.revision) >= this.#revision && Number(kvs[0]?.mod_revision) === revision;
    } catch (error) {
      if (error instanceof library().GRPCOutOfRangeError) return false;
      throw error;
    }
  }

  async #readAll(session: EtcdSession, continued: boolean): Promise<void> {
    const entries: Entry[] = [];
    let { start } = this.#range;
    let revision: number | undefined;
    for (let more = true; more; ) {
      const page = { key: start, range_end: this.#range.end, limit: pageSize, ...(revision && { revision }) };
      const answer = await session.call((client, options) => client.kv.range(page, options), pageTimeout);
      if (this.#signal.aborted) return;
      revision ??= Number(answer.header.revision);
      for (const kv of answer.kvs) entries.push(this.#noted(kv));
      const last = answer.kvs.at(-1);
      more = answer.more && last !== undefined;
      if (last) start = Buffer.concat([last.key, Buffer.of(0)]);
    }
    this.#revision = revision ?? 0;
    this.#count = entries.length;
    this.#watcher.reset(entries, continued);
  }

  /**
   * Finds out a stream that has gone deaf, or has lost changes, and ends the session if so. Costs a count, no list;
   * etcd counts one by one, so where there are many keys the count is made at some of the calls only, by chance.
   */
  async verify(session: EtcdSession): Promise<void> {
    // An answer may overtake a change that is still on its way; the second count knows of that one.
    if (!(await this.#complete(session)) && !(await this.#complete(session)) && !this.#signal.aborted) {
      session.end(new Error('a watch stream has lost changes'));
    }
  }

  async #complete(session: EtcdSession): Promise<boolean> {
    const probe = this.#probe;
    if (!probe || this.#signal.aborted) return true;
    const { promise, settle } = answerIn(checkTimeout, session.ended);
    probe.answered = () => settle(true);
    probe.write();
    if (!(await promise)) return false;
    if (Math.random() * this.#count > many) return true;
    const expected = this.#count;
    const revision = this.#revision;
    const range = { key: this.#range.start, range_end: this.#range.end, count_only: true, revision };
    const { count } = await session.call((client, options) => client.kv.range(range, options), checkTimeout);
    return Number(count) === expected;
  }

  async #follow(session: EtcdSession): Promise<void> {
    const stream = await session.client.watchClient.watch();
    // Another session may be followed by now.
    if (session.ended.aborted) return stream.on('error', () => {}).cancel();
    const probe = { write: () => stream.write({ progress_request: {} }), answered: () => {} };
    const stop = () => {
      // Ended before it is cancelled: the library takes a cancelled stream that could still be written to for a
      // fault of the member, and closes all of the session's other streams.
      stream.end();
      stream.cancel();
    };
    this.#probe = probe;
    session.ended.addEventListener('abort', stop, { once: true });
    this.#signal.addEventListener('abort', stop, { once: true });
    const over = (why: string) => {
      this.#signal.removeEventListener('abort', stop);
      session.ended.removeEventListener('abort', stop);
      if (!this.#signal.aborted) session.end(new Error(`watch: ${why}`));
    };
    stream.on('data', (answer) => {
      if (this.#signal.aborted || session.ended.aborted) return;
      if (answer.canceled) return over(answer.cancel_reason || 'canceled: its revision was compacted');
      if (answer.watch_id === progressId) this.#caughtUp(answer, probe);
      for (const event of answer.events) this.#tell(event);
    });
    stream.on('error', (error) => over(messageOf(error)));
    stream.on('end', () => over('the stream has ended'));
    stream.write({
      create_request: {
        key: this.#range.start,
        range_end: this.#range.end,
        start_revision: this.#revision + 1,
      },
    });
  }

  #caughtUp({ header }: IWatchResponse, probe: { answered: () => void }): void {
    // Counting at an old revision would fail once etcd has compacted it away.
    this.#revision = Math.max(this.#revision, Number(header.revision));
    probe.answered();
  }

  #tell({ type, kv }: IWatchResponse['events'][number]): void {
    const revision = Number(kv.mod_revision);
    this.#revision = Math.max(this.#revision, revision);
    if (type === 'Delete') this.#count--;
    else if (kv.version === '1') this.#count++;
    const { key, value } = type === 'Delete' ? { key: this.#bare(kv.key), value: null } : this.#noted(kv);
    this.#watcher.change({ key, value, revision });
  }

  /** What a write says; it may be the newest. */
  #noted({ key, value, mod_revision }: IKeyValue): Entry {
    const revision = Number(mod_revision);
    if (revision > (this.#lastPut?.revision ?? 0)) this.#lastPut = { key, revision };
    return { key: this.#bare(key), value: String(value), revision };
  }

  #bare(key: Buffer): string {
    return key.toString().slice(this.#root.length);
  }
}

/** Answers to a progress request are about the stream, not about one watch. */
const progressId = '-1';

/** A promise of true when settled in time; false when not, or when `ended`. */
function answerIn(ms: number, ended: AbortSignal) {
  let settle: (answered: boolean) => void = () => {};
  const promise = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => settle(false), ms);
    const stop = () => settle(false);
    ended.addEventListener('abort', stop, { once: true });
    settle = (answered) => {
      clearTimeout(timer);
      ended.removeEventListener('abort', stop);
      resolve(answered);
    };
  });
  return { promise, settle: (answered: boolean) => settle(answered) };
}
