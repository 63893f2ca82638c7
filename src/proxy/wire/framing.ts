import { WeaveError } from '../../lib/errors.ts';

/** The length of a message's body: a number of bytes, chunked, or until the sender closes. */
export type Framing = number | 'chunked' | 'close';

const cr = 13;
const lf = 10;
/** A chunk's size with its extensions, or a trailer field. */
const maxLine = 8192;
/** All trailer fields of a body together. */
const maxTrailers = 65_536;

/** Follows a body through the buffers it comes in, without copying or changing it. */
export class BodyScanner {
  readonly #framing: Framing;
  /** bytes left of the body, or of the present chunk with its CRLF */
  #left: number;
  /** which line of the chunked coding is being read, if not data */
  #line: 'size' | 'trailer' = 'size';
  #text = '';
  #trailers = 0;
  #done: boolean;

  constructor(framing: Framing) {
    this.#framing = framing;
    this.#left = typeof framing === 'number' ? framing : 0;
    this.#done = framing === 0;
  }

  /** The body's last byte was seen. */
  get done(): boolean {
    return this.#done;
  }

  /**
   * @param data called with each piece of content, the coding taken off; it lies in `buffer`
   * @returns how many bytes of `buffer`, from its start, belong to this body: all of them, unless it ends before
   * @throws WeaveError BAD_REQUEST when the chunked coding is broken
   */
  take(buffer: Buffer, data?: (piece: Buffer) => void): number {
    if (this.#framing === 'chunked') return this.#takeChunks(buffer, data);
    const taken = this.#framing === 'close' ? buffer.length : Math.min(this.#left, buffer.length);
    if (this.#framing !== 'close') {
      this.#left -= taken;
      this.#done = this.#left === 0;
    }
    if (taken > 0) data?.(buffer.subarray(0, taken));
    return taken;
  }

  #takeChunks(buffer: Buffer, data?: (piece: Buffer) => void): number {
    let at = 0;
    while (at < buffer.length && !this.#done) {
      if (this.#left > 2) {
        const length = Math.min(this.#left - 2, buffer.length - at);
        data?.(buffer.subarray(at, at + length));
        at += length;
        this.#left -= length;
      } else if (this.#left > 0) {
        if (buffer[at] !== (this.#left === 2 ? cr : lf)) throw broken('data is longer than its size says');
        at++;
        this.#left--;
      } else {
        at = this.#takeLine(buffer, at);
      }
    }
    return at;
  }

  #takeLine(buffer: Buffer, from: number): number {
    const end = buffer.indexOf(lf, from);
    const to = end < 0 ? buffer.length : end + 1;
    this.#text += buffer.toString('latin1', from, to);
    if (this.#text.length > maxLine) throw broken('a line is too long');
    if (end >= 0) {
      // A bare LF is refused: readers differ on whether it ends the line.
      if (!this.#text.endsWith('\r\n')) throw broken('a line ends without CR');
      const line = this.#text.slice(0, -2);
      this.#text = '';
      if (this.#line === 'size') this.#size(line);
      else this.#trailer(line);
    }
    return to;
  }

  #size(line: string): void {
    // 13 digits: the largest size that a number holds exactly.
    const digits = /^([0-9a-fA-F]{1,13})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line)?.[1];
    if (digits === undefined) throw broken('a chunk has no proper size');
    const size = Number.parseInt(digits, 16);
    if (size === 0) this.#line = 'trailer';
    else this.#left = size + 2;
  }

  #trailer(line: string): void {
    this.#trailers += line.length;
    if (this.#trailers > maxTrailers) throw broken('its trailers are too long');
    this.#done = line === '';
  }
}

function broken(what: string): WeaveError {
  return new WeaveError('BAD_REQUEST', `chunked body is broken: ${what}`);
}
