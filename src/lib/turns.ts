/** Looks at a list part by part, where each item costs something and none is urgent. */
export class Turns {
  readonly #size: number;
  #next = 0;

  /** @param size items at a time */
  constructor(size: number) {
    this.#size = size;
  }

  /** The next part of a list, which may have changed meanwhile. */
  take<T>(list: readonly T[]): T[] {
    const start = this.#next < list.length ? this.#next : 0;
    this.#next = start + this.#size;
    return list.slice(start, this.#next);
  }
}
