/** A slot in use. */
export interface Share {
  giveBack(): void;
}

interface Holder {
  held: number;
  /** queries that it may still start now */
  tokens: number;
  /** when these were counted */
  at: number;
}

/** Idle holders beyond this many are forgotten. */
const maxIdle = 1_000;

/**
 * Slots for pending queries, which nobody can use up: one asker may hold as many as are free. So one that floods
 * ends up with half, two with a third each, and there is always room for the next.
 */
export class Shares {
  readonly #places: number;
  readonly #rate: number;
  readonly #holders = new Map<string, Holder>();
  #taken = 0;

  /** @param options.rate places a second that one asker may take */
  constructor(options: { places: number; rate: number }) {
    this.#places = options.places;
    this.#rate = options.rate;
  }

  /** @returns undefined when the asker has had its share */
  take(asker: string): Share | undefined {
    const holder = this.#holder(asker);
    if (holder.tokens < 1 || holder.held >= this.#places - this.#taken) return undefined;
    holder.tokens--;
    holder.held++;
    this.#taken++;
    return {
      giveBack: () => {
        holder.held--;
        this.#taken--;
      },
    };
  }

  #holder(asker: string): Holder {
    const now = performance.now();
    const known = this.#holders.get(asker);
    if (known) {
      known.tokens = Math.min(this.#rate, known.tokens + ((now - known.at) / 1000) * this.#rate);
      known.at = now;
      return known;
    }
    if (this.#holders.size > maxIdle) {
      for (const [idle, { held, at }] of this.#holders) {
        if (held === 0 && now - at > 1_000) this.#holders.delete(idle);
      }
    }
    const fresh = { held: 0, tokens: this.#rate, at: now };
    this.#holders.set(asker, fresh);
    return fresh;
  }
}
