import type { OnReadOpts } from 'node:net';

/** Of a connection that brings little at a time, so that many idle ones cost little. */
const small = 4 * 1024;
/** Of one that brings more. */
const large = 64 * 1024;

/**
 * Reads a socket into one buffer over and over. Node's own way, a new buffer for each read, costs a proxy more than
 * the copying does: the memory is always cold, and must be collected.
 */
export class Reads {
  /** Takes what was read. @returns true if the bytes are done with, false if somebody still needs them */
  take: (bytes: Buffer) => boolean = () => true;
  readonly options: OnReadOpts = {
    buffer: () => this.#buffer,
    callback: (length) => {
      const done = this.take(this.#buffer.subarray(0, length));
      const size = length < small ? small : large;
      if (!done || this.#buffer.length !== size) this.#buffer = Buffer.allocUnsafeSlow(size);
      return true;
    },
  };
  #buffer = Buffer.allocUnsafeSlow(small);
}
