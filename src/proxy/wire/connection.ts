import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, messageOf, proxiedStatusOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { refusal } from '../intercept/answer.ts';
import type { Interceptor } from '../intercept/intercept.ts';
import { Exchange } from './exchange.ts';
import { HeadReader, parseRequest } from './head.ts';
import { HeldCall } from './held.ts';
import { ReadAhead } from './read-ahead.ts';
import { mayOverwrite, type SocketReader, writeThrough } from './reads.ts';
import { match } from './routes.ts';

/** Bytes of a refused request to read and drop, so that the client gets to read the answer. */
const maxDropped = 1024 * 1024;

/** Made once, with its stack: most clients leave. */
const wentAway = new DOMException('the client went away', 'AbortError');

/** What a {@link Connection} is made of. */
export interface ConnectionDeps {
  client: SocketReader;
  /** for this client alone; half open is allowed on both */
  engine: SocketReader;
  interceptor: Interceptor;
  /** what to answer when the engine can't be reached */
  unreachable: string;
  logger: Logger;
}

/**
 * One client and its own connection to the engine. Bytes pass as they come; the proxy only follows where each request
 * and each answer ends, so that it recognises every request of the connection. An intercepted request goes to the
 * interceptor instead of the engine, in the same way, or is held ({@link HeldCall}).
 *
 * A request is looked at only when the one before is answered, and what the client sends meanwhile is held. So a
 * hijack needs no guess: once its answer has come (101, or 200 without a length), all that was held and all that
 * follows is raw, both ways, each way ended on its own; after an error answer (404, 409) it is the next request. The
 * engine answers a hijack before it reads any of the stream, so nothing waits for each other.
 */
export class Connection {
  /** The client's side is closed. */
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #engine: Socket;
  readonly #interceptor: Interceptor;
  readonly #unreachable: string;
  readonly #logger: Logger;
  readonly #heads = new HeadReader();
  /** of intercepted calls */
  #gone: AbortController | undefined;
  #intercepted: Duplex | undefined;
  #exchange: Exchange | HeldCall | undefined;
  readonly #ahead = new ReadAhead();
  #state: 'http' | 'raw' | 'refused' = 'http';
  #dropped = 0;
  #clientEnded = false;
  #engineConnected: boolean;
  #closing = false;

  constructor({ client, engine, interceptor, unreachable, logger }: ConnectionDeps) {
    this.#client = client.socket;
    this.#engine = engine.socket;
    this.#interceptor = interceptor;
    this.#unreachable = unreachable;
    this.#logger = logger;
    client.reads.take = (bytes) => {
      this.#fromClient(bytes);
      return this.#ahead.isEmpty && mayOverwrite(client.socket, engine.socket);
    };
    engine.reads.take = (bytes) => {
      this.#fromTarget(engine.socket, bytes);
      return mayOverwrite(engine.socket, client.socket);
    };
    this.closed = this.#listenToClient(client.socket);
    this.#listen(engine.socket);
    this.#engineConnected = !engine.socket.connecting;
    engine.socket.once('encrypted' in engine.socket ? 'secureConnect' : 'connect', () => {
      this.#engineConnected = true;
    });
  }

  /** Ends when idle: at once, or after the current answer. A raw stream ends by itself. */
  closeWhenIdle(): void {
    this.#closing = true;
    if (this.#state === 'http' && !this.#exchange) this.#client.destroySoon();
  }

  destroy(): void {
    this.#client.destroy();
  }

  #listenToClient(client: Socket): Promise<void> {
    client.on('end', () => {
      this.#clientEnded = true;
      this.#passEnd();
    });
    client.on('drain', () => {
      this.#engine.resume();
      this.#intercepted?.resume();
    });
    client.on('error', (error) => this.#logger.debug({ err: error }, 'client connection failed'));
    return new Promise((resolve) => {
      client.on('close', () => {
        this.#gone?.abort(wentAway);
        // An engine told to start a container does so; its answer is read, whatever this client left unread.
        if (this.#exchange instanceof HeldCall && this.#exchange.body.done) this.#engine.resume();
        else this.#engine.destroy();
        this.#intercepted?.destroy();
        resolve();
      });
    });
  }

  #listen(target: Duplex): void {
    target.on('drain', () => this.#resumeClient());
    target.on('end', () => this.#targetEnd(target));
    target.on('close', () => this.#targetClose(target));
    target.on('error', (error) => this.#logger.debug({ err: error }, 'connection to the engine failed'));
  }

  #fromClient(bytes: Buffer): void {
    let rest = bytes;
    try {
      while (rest.length > 0 && this.#state === 'http') {
        if (!this.#exchange) rest = this.#takeHead(rest);
        else if (!this.#exchange.body.done) rest = this.#takeBody(this.#exchange, rest);
        else {
          this.#ahead.add(rest);
          if (this.#ahead.isFull) this.#client.pause();
          return;
        }
      }
    } catch (error) {
      return this.#refuse('BAD_REQUEST', messageOf(error));
    }
    if (rest.length === 0) return;
    if (this.#state === 'raw') this.#toTarget(this.#engine, rest);
    else {
      this.#dropped += rest.length;
      if (this.#dropped > maxDropped) this.#client.destroy();
    }
  }

  /** Starts an exchange once a head is complete. @returns what follows the head, and the body as far as it has come */
  #takeHead(bytes: Buffer): Buffer {
    const found = this.#heads.take(bytes);
    if (!found) return bytes.subarray(bytes.length);
    const rest = bytes.subarray(found.taken);
    const head = parseRequest(found.head);
    if (head === 'http2') {
      this.#goRaw();
      this.#toTarget(this.#engine, found.head);
      return rest;
    }
    const route = match(head.method, head.target);
    const intercepted = route !== undefined && this.#interceptor.handles(route);
    const holds = intercepted && HeldCall.suits(route, head);
    // An intercepted call ignores an upgrade, as the engine does.
    const target = intercepted && !holds ? this.#toInterceptor() : this.#engine;
    const switching = route?.name === 'hijack' ? 'hijack' : head.upgrade ? 'upgrade' : undefined;
    const exchange = holds
      ? new HeldCall(route, { head, bytes: found.head }, this.#engine, this.#unreachable)
      : new Exchange(target, head, switching);
    this.#exchange = exchange;
    if (target.destroyed) {
      this.#refuse('ENGINE_UNREACHABLE', this.#unreachable);
      return rest;
    }
    target.cork();
    if (!holds) this.#toTarget(target, found.head);
    const left = this.#takeBody(exchange, rest);
    target.uncork();
    return left;
  }

  #takeBody(exchange: Exchange | HeldCall, bytes: Buffer): Buffer {
    const taken = exchange.body.take(bytes);
    const own = taken === bytes.length ? bytes : bytes.subarray(0, taken);
    if (exchange instanceof HeldCall) {
      exchange.receive(own);
      if (exchange.body.done) void this.#serve(exchange);
    } else {
      if (taken > 0) this.#toTarget(exchange.target, own);
      if (exchange.body.done && exchange.answered) this.#next();
    }
    return bytes.subarray(taken);
  }

  /** The client may be gone when it is answered. */
  async #serve(held: HeldCall): Promise<void> {
    this.#gone ??= new AbortController();
    const answer = await held.serve(this.#interceptor, this.#gone.signal);
    if (this.#client.destroyed) this.#engine.destroy();
    else this.#client.write(answer);
    this.#next();
  }

  #toTarget(target: Duplex, bytes: Buffer): void {
    // The interceptor may keep what it gets, but the buffer is reused.
    const own = target === this.#engine ? bytes : Buffer.from(bytes);
    if (!writeThrough(target, own)) this.#client.pause();
  }

  #toInterceptor(): Duplex {
    if (!this.#intercepted || this.#intercepted.destroyed || this.#intercepted.readableEnded) {
      this.#gone ??= new AbortController();
      const intercepted = this.#interceptor.connect(this.#gone.signal);
      intercepted.on('data', (bytes: Buffer) => this.#fromTarget(intercepted, bytes));
      this.#listen(intercepted);
      this.#intercepted = intercepted;
    }
    return this.#intercepted;
  }

  #release(): void {
    for (const bytes of this.#ahead.takeAll()) this.#fromClient(bytes);
    this.#resumeClient();
    this.#passEnd();
  }

  #resumeClient(): void {
    if (!this.#ahead.isFull && !this.#engine.writableNeedDrain) this.#client.resume();
  }

  #fromTarget(target: Duplex, bytes: Buffer): void {
    const exchange = this.#exchange?.target === target ? this.#exchange : undefined;
    let taken = bytes.length;
    try {
      if (exchange) taken = exchange.take(bytes);
    } catch (error) {
      this.#logger.warn({ err: error }, 'answer not understood');
      this.#client.destroy();
      return;
    }
    if (!(exchange instanceof HeldCall) && !writeThrough(this.#client, bytes)) target.pause();
    if (exchange?.raw) {
      this.#goRaw();
      this.#release();
    } else if (taken < bytes.length) {
      this.#logger.warn('the engine sent more than its answer');
      this.#client.destroySoon();
    } else if (exchange?.answered && exchange.body.done) {
      this.#next();
    }
  }

  /** The exchange is complete: on to what the client sent meanwhile. */
  #next(): void {
    const last = this.#exchange?.last;
    this.#exchange = undefined;
    if (last || this.#closing || this.#engine.readableEnded || this.#engine.destroyed) this.#finish();
    else this.#release();
  }

  #goRaw(): void {
    this.#state = 'raw';
    this.#exchange = undefined;
  }

  /**
   * Passes the client's end on once all it sent is passed on. The engine takes it for a client that went away, and
   * still answers if it can; so does the interceptor.
   */
  #passEnd(): void {
    if (!this.#clientEnded || !this.#ahead.isEmpty) return;
    if (this.#state === 'http' && !this.#exchange) return this.#finish();
    const target = this.#exchange?.target ?? this.#engine;
    const held = this.#exchange instanceof HeldCall;
    if (held && !this.#exchange?.body.done)
      return this.#refuse('BAD_REQUEST', 'the client stopped in the middle of the body');
    if (held || target !== this.#engine) this.#gone?.abort(wentAway);
    if (!held && (target === this.#engine || !this.#exchange?.body.done)) target.end();
  }

  #targetEnd(target: Duplex): void {
    if (this.#state === 'raw') this.#client.end();
    else if (this.#exchange instanceof HeldCall) this.#exchange.ended(this.#engineConnected);
    else if (!this.#exchange || this.#exchange.target === target) this.#finish();
  }

  #targetClose(target: Duplex): void {
    const held = this.#exchange instanceof HeldCall;
    if (this.#state === 'raw') this.#client.destroySoon();
    else if (this.#engineConnected || target !== this.#engine || held) this.#targetEnd(target);
    // Not reached: the current request gets the error, or else the next one.
    else if (this.#exchange?.target === target) this.#refuse('ENGINE_UNREACHABLE', this.#unreachable);
  }

  /** Nothing more comes for the client: closes once it has everything. */
  #finish(): void {
    if (this.#state === 'refused') return;
    // Closing with an upload unread could take the answer from a client that has not come to read it.
    if (this.#exchange && !this.#exchange.body.done) this.#endAndDrop();
    else this.#client.destroySoon();
  }

  /** Answers a request that can't be passed on, and closes. */
  #refuse(code: ErrorCode, message: string): void {
    if (this.#exchange?.answering) {
      this.#client.destroy();
      return;
    }
    const status = proxiedStatusOf(code);
    this.#client.write(refusal({ status, message }, this.#exchange?.method));
    this.#endAndDrop();
  }

  #endAndDrop(): void {
    this.#state = 'refused';
    this.#exchange = undefined;
    this.#ahead.takeAll();
    this.#client.end();
    this.#client.resume();
    this.#engine.destroy();
    this.#intercepted?.destroy();
  }
}
