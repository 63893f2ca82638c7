import { Duplex } from 'node:stream';

/** Two ends of a connection inside this process: what one writes, the other reads, with backpressure. */
export function duplexPair(): [Duplex, Duplex] {
  const one = new End();
  const other = new End();
  one.peer = other;
  other.peer = one;
  return [one, other];
}

class End extends Duplex {
  peer: End | undefined;
  /** Finishes the peer's write once this end has been read. */
  #taken: (() => void) | undefined;

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#pass(bytes, done);
  }

  /** What was written corked arrives in one piece. */
  override _writev(parts: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#pass(Buffer.concat(parts.map(({ chunk }) => chunk)), done);
  }

  #pass(bytes: Buffer, done: (error?: Error) => void): void {
    const peer = this.peer;
    if (peer === undefined || peer.destroyed) return done();
    if (bytes.length === 0) return done();
    peer.#taken = done;
    peer.push(bytes);
  }

  override _final(done: () => void): void {
    this.peer?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // As with a socket: the other side sees the end of it.
    const peer = this.peer;
    this.peer = undefined;
    if (peer && !peer.destroyed) process.nextTick(() => peer.destroy());
    done(error);
  }
}
