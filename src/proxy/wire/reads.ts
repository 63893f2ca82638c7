import { type OnReadOpts, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** For a connection that brings little at a time, so that many idle ones are cheap. */
const small = 4 * 1024;
/** For one that brings more: as much as the kernel buffers for a unix socket. */
const large = 256 * 1024;
/** After this many small reads in a row it counts as bringing little again. */
const few = 8;

/** A connection, open or being opened. What it reads comes to `reads`, not as events. */
export interface SocketReader {
  socket: Socket;
  reads: Reads;
}

/**
 * Reads a socket into one buffer over and over. Node's own way, a new buffer for each read, costs a proxy more than
 * the copying does: the memory is always cold, or not even mapped, and must be collected.
 */
export class Reads {
  /** Takes what was read. @returns true if it may be overwritten by the next read, false if somebody still needs it */
  take: (bytes: Buffer) => boolean = () => true;
  readonly options: OnReadOpts = {
    buffer: () => this.#buffer,
    callback: (length) => {
      const done = this.take(this.#buffer.subarray(0, length));
      this.#smallReads = length < small ? this.#smallReads + 1 : 0;
      const size = this.#smallReads < few ? large : small;
      if (!done || this.#buffer.length !== size) this.#buffer = Buffer.allocUnsafeSlow(size);
      return true;
    },
  };
  #smallReads = few;
  #buffer = Buffer.allocUnsafeSlow(small);
}

/**
 * Takes over a socket that a plain server has just accepted, before it could read: servers have no `onread`. Its
 * handle, undocumented but what Node's own servers make sockets of, goes to a socket that has.
 */
export function adopt(accepted: Socket): SocketReader {
  const reads = new Reads();
  const from = accepted as unknown as Accepted;
  const options = { handle: from._handle, allowHalfOpen: true, onread: reads.options };
  const socket = new Socket(options);
  // The server counts it until it closes.
  Object.assign(socket, { _server: from._server });
  // What is left of it is nothing, and emits nothing.
  from._handle = null;
  return { socket, reads };
}

interface Accepted {
  _handle: object | null;
  _server: object | null;
}

/** A TLS socket is read the usual way, because with `onread` it keeps bringing bytes while paused. */
export function decrypted(socket: Socket): SocketReader {
  const reads = new Reads();
  socket.on('data', (bytes: Buffer) => reads.take(bytes));
  return { socket, reads };
}

/** @returns false if somebody has to wait: a piece above the mark is no reason to, once the kernel has all of it */
export function writeThrough(to: Duplex, bytes: Buffer): boolean {
  return to.write(bytes) || to.writableLength === 0;
}

/**
 * What was read from a socket is with the kernel, or the reading is paused until it is. (A piece below the mark that
 * waits does not pause the reading.)
 */
export function mayOverwrite(from: Socket, to: Socket): boolean {
  return to.writableLength === 0 || (from.isPaused() && to.writableNeedDrain);
}
