/** What {@link Retries} needs. */
export interface RetriesOptions {
  /** throws if it has not worked */
  task: (key: string) => Promise<unknown>;
  /** ms before the first new attempt, and the longest; each pause doubles the one before */
  pauses: { first: number; longest: number };
}

interface Retry {
  attempts: number;
  error: unknown;
  timer: NodeJS.Timeout | undefined;
}

/** Retries failures, with growing pauses, until they work or are given up. */
export class Retries {
  readonly #options: RetriesOptions;
  readonly #retries = new Map<string, Retry>();
  #closed = false;

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** It failed. @returns true the first time since it worked */
  failed(key: string, error: unknown): boolean {
    const before = this.#retries.get(key);
    clearTimeout(before?.timer);
    const attempts = (before?.attempts ?? 0) + 1;
    const { first, longest } = this.#options.pauses;
    const pause = Math.min(first * 2 ** (attempts - 1), longest);
    const retry: Retry = { attempts, error, timer: undefined };
    if (!this.#closed) retry.timer = setTimeout(() => this.#attempt(key), pause).unref();
    this.#retries.set(key, retry);
    return before === undefined;
  }

  /** It has worked, or is no longer needed. */
  done(key: string): void {
    clearTimeout(this.#retries.get(key)?.timer);
    this.#retries.delete(key);
  }

  /** Its last error; undefined: it worked. */
  errorOf(key: string): unknown {
    return this.#retries.get(key)?.error;
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#retries.values()) clearTimeout(timer);
  }

  #attempt(key: string): void {
    // The task itself reports the result.
    this.#options.task(key).catch(() => {});
  }
}
