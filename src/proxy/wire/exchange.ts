import type { Duplex } from 'node:stream';
import { BodyScanner } from './framing.ts';
import { HeadReader, parseResponse, type RequestHead } from './head.ts';

/** What an answer may do to the connection. */
export type Switching =
  /** stays HTTP, unless it says 101 */
  | 'upgrade'
  /** a hijack call: also by a 200 without a length, as the engine answers to clients that ask for no upgrade */
  | 'hijack'
  | undefined;

/** One pending request, and the progress of its answer. */
export class Exchange {
  /** where the request goes, and the answer comes from */
  readonly target: Duplex;
  readonly method: string;
  /** of the request */
  readonly body: BodyScanner;
  readonly #switching: Switching;
  readonly #head = new HeadReader();
  #answer: BodyScanner | undefined;
  #started = false;
  #raw = false;
  #last: boolean;

  constructor(target: Duplex, head: RequestHead, switching: Switching) {
    this.target = target;
    this.method = head.method;
    this.#last = head.last;
    this.body = new BodyScanner(head.framing);
    this.#switching = switching;
  }

  /** Some of the answer has come. */
  get answering(): boolean {
    return this.#started;
  }

  /** The whole answer has come. */
  get answered(): boolean {
    return this.#answer?.done ?? false;
  }

  /** Nothing follows it on its connection: one of the two said so. */
  get last(): boolean {
    return this.#last;
  }

  /** The connection is no longer HTTP. */
  get raw(): boolean {
    return this.#raw;
  }

  /**
   * Follows the answer.
   * @returns how many bytes of `bytes` belong to it
   * @throws WeaveError when it is not HTTP
   */
  take(bytes: Buffer): number {
    this.#started = true;
    let taken = 0;
    while (!this.#answer) {
      const found = this.#head.take(taken === 0 ? bytes : bytes.subarray(taken));
      if (!found) return bytes.length;
      taken += found.taken;
      const { status, framing, last } = parseResponse(found.head, this.method);
      if (status === 101 || (this.#switching === 'hijack' && status === 200 && framing === 'close')) {
        this.#raw = this.#switching !== undefined;
        return bytes.length;
      }
      // 100 Continue and the like come before the answer.
      if (status < 200) continue;
      this.#answer = new BodyScanner(framing);
      this.#last ||= last;
    }
    return taken + this.#answer.take(taken === 0 ? bytes : bytes.subarray(taken));
  }
}
