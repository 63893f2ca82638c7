import { messageOf } from '../../lib/errors.ts';
import type { EtcdSession } from './session.ts';

/** s after which the leased keys of a host that fell silent are gone, unless it is made otherwise. */
export const leaseSeconds = 10;
/** ms for each call while a session starts. */
const callTimeout = 2_000;

/**
 * The lease of this host, and the keys that live by it. Its keys are remembered here, so that they come back with
 * a new lease when etcd has let the old one expire, and singly if etcd was set back to an earlier state.
 */
export class EtcdLease {
  readonly #seconds: number;
  readonly #kept = new Map<string, string>();
  #id: string | undefined;
  /** by `performance.now()`: when etcd may let it go. */
  #expires = 0;

  /** @param seconds for which etcd keeps the keys of a host that is silent */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** The id that leased writes carry; there is one as soon as a session has been established. */
  get id(): string | undefined {
    return this.#id;
  }

  /** False from when etcd may have let it expire, as far as is known here. */
  get alive(): boolean {
    return performance.now() < this.#expires;
  }

  remember(key: string, value: string): void {
    this.#kept.set(key, value);
  }

  /** @returns an undo, which does nothing if the key has a new value */
  forget(key: string): () => void {
    const value = this.#kept.get(key);
    this.#kept.delete(key);
    return () => {
      if (value !== undefined && !this.#kept.has(key)) this.#kept.set(key, value);
    };
  }

  /** Finds the lease alive, or grants another, puts back what keys are missing, and beats until the session ends. */
  async establish(session: EtcdSession): Promise<void> {
    const present = await this.#attached(session);
    if (!present) {
      const { ID } = await session.call(
        (client, options) => client.leaseClient.leaseGrant({ TTL: this.#seconds }, options),
        callTimeout,
      );
      this.#id = ID;
    }
    await this.#beat(session);
    const missing = [...this.#kept].filter(([key]) => !present?.has(key));
    for (const [key, value] of missing) await this.#putBack(session, Buffer.from(key), value);
  }

  /** A key that another has put there meanwhile is the other's, and forgotten here. */
  async #putBack(session: EtcdSession, key: Buffer, value: string): Promise<void> {
    const put = { key, value: Buffer.from(value), lease: this.#id };
    // By an earlier lease of ours it may still be there, with what we put.
    const own = { key, target: 'Value' as const, value: put.value };
    const absent = { key, target: 'Create' as const, result: 'Equal' as const, create_revision: 0 };
    for (const compare of [absent, { ...own, result: 'Equal' as const }]) {
      const request = { compare: [compare], success: [{ request_put: put }] };
      const { succeeded } = await session.call(
        (client, options) => client.kv.txn(request, options),
        callTimeout,
      );
      if (succeeded) return;
    }
    this.#kept.delete(key.toString());
  }

  /** Revokes the lease, and its keys with it. */
  async revoke(session: EtcdSession): Promise<void> {
    const ID = this.#id;
    if (ID === undefined) return;
    await session.call((client, options) => client.leaseClient.leaseRevoke({ ID }, options), callTimeout);
    this.#expires = 0;
  }

  /** Keys that etcd has under the lease; undefined when the lease is gone. */
  async #attached(session: EtcdSession): Promise<Set<string> | undefined> {
    const ID = this.#id;
    if (ID === undefined) return undefined;
    const { TTL, keys } = await session.call(
      (client, options) => client.leaseClient.leaseTimeToLive({ ID, keys: true }, options),
      callTimeout,
    );
    return Number(TTL) > 0 ? new Set(keys.map(String)) : undefined;
  }

  /**
   * Five beats in a lease's life. A beat must go to etcd's leader, so it also finds out a member that was cut off
   * from the others: a beat without an answer when the next one is due ends the session.
   */
  async #beat(session: EtcdSession): Promise<void> {
    const ID = this.#id;
    const stream = await session.client.leaseClient.leaseKeepAlive();
    const pause = (this.#seconds * 1000) / 5;
    let sentAt = 0;
    let due = performance.now();
    let answered = true;
    let first = () => {};
    const begun = new Promise<void>((resolve) => {
      first = resolve;
    });
    const beat = () => {
      const now = performance.now();
      // After a time in which this process did nothing, the answer may wait to be read.
      const stalled = now - due > pause / 2;
      due = now + pause;
      if (!answered && stalled) return;
      if (!answered) return session.end(new Error(`${session.endpoint} does not answer`));
      answered = false;
      sentAt = now;
      stream.write({ ID });
    };
    const timer = setInterval(beat, pause);
    session.ended.addEventListener('abort', () => {
      clearInterval(timer);
      first();
      stream.end();
      stream.cancel();
    });
    stream.on('data', ({ TTL }) => {
      if (Number(TTL) === 0) return session.end(new Error('the lease has expired'));
      answered = true;
      this.#expires = sentAt + Number(TTL) * 1000;
      first();
    });
    stream.on('error', (error) => session.end(new Error(`lease: ${messageOf(error)}`)));
    stream.on('end', () => session.end(new Error('the lease stream has ended')));
    beat();
    await begun;
    session.ended.throwIfAborted();
  }
}
