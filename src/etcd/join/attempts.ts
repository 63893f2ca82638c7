import { WeaveError } from '../../lib/errors.ts';

/** Wrong attempts of one address in a minute, after which it has to wait. */
const most = 10;
const minute = 60_000;
/** Addresses that are remembered: beyond these the attacker owns a network, and all are slowed down together. */
const remembered = 10_000;

/** Counts wrong attempts, so that passwords and tokens can't be guessed by trying. */
export class Attempts {
  readonly #failures = new Map<string, number[]>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** @throws WeaveError JOIN_REFUSED after too many wrong ones */
  check(from: string): void {
    const since = this.#now() - minute;
    const recent = (this.#failures.get(from) ?? []).filter((at) => at > since);
    if (recent.length > 0) this.#failures.set(from, recent);
    else this.#failures.delete(from);
    if (recent.length < most && this.#failures.size < remembered) return;
    this.#forget(since);
    throw new WeaveError('JOIN_REFUSED', 'too many wrong attempts; wait a minute, and try again');
  }

  failed(from: string): void {
    this.#failures.set(from, [...(this.#failures.get(from) ?? []), this.#now()]);
  }

  succeeded(from: string): void {
    this.#failures.delete(from);
  }

  #forget(since: number): void {
    for (const [from, times] of this.#failures)
      if (times.every((at) => at <= since)) this.#failures.delete(from);
  }
}
