/** Bytes of further requests kept while one is answered; beyond that the client is not read. */
const most = 64 * 1024;

/** What a client sent before its turn. */
export class ReadAhead {
  #parts: Buffer[] = [];
  #length = 0;

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get isFull(): boolean {
    return this.#length > most;
  }

  add(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  /** All of it, which is then no longer kept. */
  takeAll(): Buffer[] {
    this.#length = 0;
    return this.#parts.splice(0);
  }
}
