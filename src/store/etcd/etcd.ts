import { setTimeout as delay } from 'node:timers/promises';
import type { Etcd3, ITxnRequest } from 'etcd3';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { changesOf, type Entry, type Store, type Watcher, type Write } from '../store.ts';
import { EtcdLease, leaseSeconds } from './lease.ts';
import { library } from './library.ts';
import { type CallOptions, type EtcdAccess, EtcdSession } from './session.ts';
import { EtcdWatch } from './watch.ts';

/** How to reach etcd. */
export interface EtcdOptions extends EtcdAccess {
  /** `http(s)://host:port`, members of one cluster */
  endpoints: readonly string[];
  /** Of all keys; `/weavets/` if absent. */
  prefix?: string;
  /** s after which the leased keys of a host that fell silent are gone; 10 if absent */
  leaseSeconds?: number;
  logger: Logger;
}

/** ms in which every call succeeds or fails. */
const callTimeout = 3_000;
/** ms for one attempt of a read, so that there is time for another member. */
const attemptTimeout = 1_500;
/** ms between checks that the watches have lost nothing. */
const verifyInterval = 60_000;
/** ms to wait before all endpoints are tried once more: from, to. */
const backoff = [100, 2_000] as const;
/** What etcd takes in one transaction (`--max-txn-ops`). */
const maxWrites = 128;

/**
 * The store of a cluster: etcd. One session to one member at a time; at its first sign of trouble another takes its
 * place, which makes sure of the lease and its keys and gives every watcher a `reset`.
 *
 * Beyond the contract of {@link Store}: a call fails within 3 s when etcd is away. A commit that failed may have
 * been done all the same, or may yet be done. A commit of more than 128 writes is refused, as etcd can't do it
 * whole. `watch` waits for etcd as long as its signal lets it.
 */
export class EtcdStore implements Store {
  #options: EtcdOptions;
  readonly #root: string;
  #endpoints: readonly string[];
  readonly #lease: EtcdLease;
  readonly #watches = new Set<EtcdWatch>();
  readonly #waiting = new Set<() => void>();
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #session: EtcdSession | undefined;
  #reason = 'not connected yet';
  /** of the last session that came to nothing */
  #failure: unknown;

  private constructor(options: EtcdOptions) {
    this.#options = options;
    this.#endpoints = options.endpoints;
    this.#root = options.prefix ?? '/weavets/';
    this.#lease = new EtcdLease(options.leaseSeconds ?? leaseSeconds);
  }

  /** Resolves when connected, or `disconnected` after 3 s: it goes on trying then; `reason` tells what is wrong. */
  static async connect(options: EtcdOptions): Promise<EtcdStore> {
    const store = new EtcdStore(options);
    store.#running = store.#run();
    await store.#connected(performance.now() + callTimeout);
    return store;
  }

  get status(): 'connected' | 'disconnected' {
    return this.#session ? 'connected' : 'disconnected';
  }

  /** Why it is disconnected, for people. */
  get reason(): string {
    return this.#session ? '' : this.#reason;
  }

  /** True while this host's leased keys are sure to stand. */
  get leaseAlive(): boolean {
    return this.#lease.alive;
  }

  /** Goes to these members from now on; at least one. A session with another ends. */
  setEndpoints(endpoints: readonly string[]): void {
    this.#endpoints = endpoints;
    const session = this.#session;
    if (session && !endpoints.includes(session.endpoint)) session.end(new Error('another etcd is wanted'));
  }

  /** Shows these certificates from the next connection on. */
  setTls(tls: NonNullable<EtcdAccess['tls']>): void {
    this.#options = { ...this.#options, tls };
  }

  async get(key: string): Promise<Entry | undefined> {
    return (await this.#range({ key: Buffer.from(this.#root + key) }))[0];
  }

  list(prefix: string): Promise<Entry[]> {
    const { start, end } = library().Range.prefix(this.#root + prefix);
    return this.#range({ key: start, range_end: end });
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    if (writes.length > maxWrites) {
      throw new WeaveError(
        'INTERNAL',
        `a commit of ${writes.length} writes is too large; etcd takes ${maxWrites}`,
      );
    }
    // Forgotten before it is sent: a session that puts leased keys back meanwhile must not revive what is deleted.
    const changes = changesOf(writes);
    const restore = changes.map(({ key }) => this.#lease.forget(this.#root + key));
    try {
      const { succeeded } = await this.#call((client, options) =>
        client.kv.txn(this.#transaction(writes), options),
      );
      if (succeeded) {
        for (const { key, value, leased } of changes) {
          if (leased && value !== null) this.#lease.remember(this.#root + key, value);
        }
      } else for (const undo of restore) undo();
      return succeeded;
    } catch (error) {
      // It may have been done, or may yet be: what a new lease puts back is what was wanted last.
      for (const [i, { key, value, leased, expect }] of changes.entries()) {
        if (value === null) continue;
        if (leased && expect === undefined) this.#lease.remember(this.#root + key, value);
        else restore[i]?.();
      }
      throw error;
    }
  }

  async watch(prefix: string, watcher: Watcher, signal: AbortSignal): Promise<void> {
    const watch = new EtcdWatch({ root: this.#root, prefix, watcher, signal });
    this.#watches.add(watch);
    signal.addEventListener('abort', () => this.#watches.delete(watch), { once: true });
    // If this fails the session ends, and the next one attaches the watch.
    if (this.#session) watch.attach(this.#session).catch(() => {});
    await watch.begun;
  }

  /** Revokes the lease: the keys that live by it go. */
  async close(): Promise<void> {
    this.#watches.clear();
    const session = this.#session;
    this.#closing.abort(new Error('the store was closed'));
    try {
      if (session) await this.#lease.revoke(session);
    } catch (error) {
      this.#options.logger.warn({ reason: messageOf(error) }, 'cannot revoke the lease; it will expire');
    }
    session?.end(this.#closing.signal.reason);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger } = this.#options;
    const closing = this.#closing.signal;
    const start = Math.floor(Math.random() * this.#endpoints.length);
    let failures = 0;
    for (let turn = start; !closing.aborted; turn++) {
      const endpoints = this.#endpoints;
      const session = new EtcdSession(endpoints[turn % endpoints.length] as string, this.#options);
      try {
        await this.#serve(session);
        failures = 0;
      } catch (error) {
        this.#reason = `${session.endpoint}: ${messageOf(error)}`;
        this.#failure = error;
        failures++;
      } finally {
        session.end(new Error('the session is over'));
      }
      const round = Math.floor(failures / endpoints.length);
      if (closing.aborted) return;
      if (failures <= 1) logger.warn({ reason: this.#reason }, 'lost etcd');
      // Many hosts lose etcd at the same moment; they must not all come back at the same moment.
      const pause = Math.min(backoff[0] * 2 ** round, backoff[1]) * Math.random();
      if (failures === 0 || failures % endpoints.length === 0) {
        await delay(pause, undefined, { signal: closing }).catch(() => {});
      }
    }
  }

  /** Returns when a session that served has ended; throws if it never came to that. */
  async #serve(session: EtcdSession): Promise<void> {
    const { ended } = session;
    const root = Buffer.from(this.#root);
    // A read that needs a majority: a member which is cut off from the others must not be taken.
    await session.call((client, options) => client.kv.range({ key: root }, options), attemptTimeout);
    await this.#lease.establish(session);
    if (this.#closing.signal.aborted) return;
    this.#session = session;
    for (const wake of this.#waiting) wake();
    this.#options.logger.info({ endpoint: session.endpoint }, 'connected to etcd');
    const attached = [...this.#watches].map((watch) => watch.attach(session));
    const verifying = setInterval(() => {
      for (const watch of this.#watches) watch.verify(session).catch(() => {});
    }, verifyInterval);
    // What is being attached when the session ends may never hear of that.
    void Promise.allSettled(attached);
    if (!ended.aborted) await new Promise((resolve) => ended.addEventListener('abort', resolve));
    clearInterval(verifying);
    this.#session = undefined;
    this.#reason = `${session.endpoint}: ${messageOf(ended.reason)}`;
  }

  /** The session, waiting for one until `end` (by `performance.now()`); undefined when there is none by then. */
  #connected(end: number): Promise<EtcdSession | undefined> {
    const session = this.#session;
    if (session && !session.ended.aborted) return Promise.resolve(session);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        const now = this.#session;
        resolve(now?.ended.aborted ? undefined : now);
      };
      const timer = setTimeout(done, Math.max(end - performance.now(), 0));
      this.#waiting.add(done);
    });
  }

  /** @param repeatable whether it may be sent to a second member when the first did not answer */
  async #call<T>(send: (client: Etcd3, options: CallOptions) => Promise<T>, repeatable = false): Promise<T> {
    const end = performance.now() + callTimeout;
    for (;;) {
      const session = await this.#connected(end);
      if (!session || this.#closing.signal.aborted) throw unavailable(this.#reason, this.#failure);
      try {
        const left = Math.ceil(end - performance.now());
        return await session.call(send, repeatable ? Math.min(left, attemptTimeout) : left);
      } catch (error) {
        // Of a transaction with a lease that is gone etcd does nothing, so it may be sent again with another lease.
        const leaseGone = error instanceof library().EtcdLeaseInvalidError;
        if (leaseGone) session.end(error);
        if (!(leaseGone || (repeatable && session.ended.aborted))) throw unavailable(messageOf(error), error);
      }
    }
  }

  async #range(request: { key: Buffer; range_end?: Buffer }): Promise<Entry[]> {
    const { kvs } = await this.#call((client, options) => client.kv.range(request, options), true);
    return kvs.map(({ key, value, mod_revision }) => ({
      key: key.toString().slice(this.#root.length),
      value: value.toString(),
      revision: Number(mod_revision),
    }));
  }

  #transaction(writes: readonly Write[]): ITxnRequest {
    return {
      compare: writes.flatMap(({ key: bare, expect, was }): NonNullable<ITxnRequest['compare']> => {
        const key = Buffer.from(this.#root + bare);
        return [
          ...(expect === undefined
            ? []
            : [{ key, target: 'Mod' as const, result: 'Equal' as const, mod_revision: expect }]),
          ...(was === undefined
            ? []
            : [{ key, target: 'Value' as const, result: 'Equal' as const, value: Buffer.from(was) }]),
        ];
      }),
      success: changesOf(writes).map(({ key: bare, value, leased }) => {
        const key = Buffer.from(this.#root + bare);
        if (value === null) return { request_delete_range: { key } };
        return { request_put: { key, value: Buffer.from(value), ...(leased && { lease: this.#lease.id }) } };
      }),
    };
  }
}

function unavailable(reason: string, cause?: unknown): WeaveError {
  return new WeaveError(
    'STORE_UNAVAILABLE',
    `etcd is not available: ${reason}; check it with 'etcdctl endpoint health'`,
    { cause },
  );
}
