import { createHash } from 'node:crypto';

/** Numbers that follow from a seed: the same seed makes the same choices. */
export class Random {
  #state: number;

  constructor(seed: string) {
    // Neighbouring seeds are to have nothing in common.
    this.#state = createHash('sha256').update(seed).digest().readInt32LE();
  }

  /** 0 to 1, without 1; by mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  shuffle<T>(list: readonly T[]): T[] {
    const placed = list.map((item) => ({ item, place: this.next() }));
    return placed.toSorted((one, other) => one.place - other.place).map(({ item }) => item);
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }
}
