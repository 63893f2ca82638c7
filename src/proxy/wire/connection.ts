import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, messageOf, proxiedStatusOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Interceptor } from '../intercept/intercept.ts';
import { Exchange } from './exchange.ts';
import { HeadReader, parseRequest } from './head.ts';
import { mayOverwrite, type SocketReader, writeThrough } from './reads.ts';
import { match } from './routes.ts';

/** Bytes of further requests kept while one is answered; beyond that the client is not read. */
const maxHeld = 64 * 1024;
/** Bytes of a refused request to read and drop, so that the client gets to read the answer. */
const maxDropped = 1024 * 1024;

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
 * interceptor instead of the engine, in the same way.
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
  #exchange: Exchange | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
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
      return this.#held.length === 0 && mayOverwrite(client.socket, engine.socket);
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
    client.on('end', () => this.#clientEnd());
    client.on('drain', () => {
      this.#engine.resume();
      this.#intercepted?.resume();
    });
    client.on('error', (error) => this.#logger.debug({ err: error }, 'client connection failed'));
    return new Promise((resolve) => {
      client.on('close', () => {
        this.#gone?.abort();
        this.#engine.destroy();
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
        else return this.#hold(rest);
      }
    } catch (error) {
      return this.#refuse('BAD_REQUEST', messageOf(error));
    }
    if (rest.length === 0) return;
    if (this.#state === 'raw') this.#toTarget(this.#engine, rest);
    else this.#drop(rest);
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
    // An intercepted call ignores an upgrade, as the engine does.
    const target = route && this.#interceptor.handles(route) ? this.#toInterceptor() : this.#engine;
    const hijack = route?.name === 'hijack' ? 'hijack' : undefined;
    const exchange = new Exchange(target, head, hijack ?? (head.upgrade ? 'upgrade' : undefined));
    this.#exchange = exchange;
    if (target.destroyed) {
      this.#refuse('ENGINE_UNREACHABLE', this.#unreachable);
      return rest;
    }
    target.cork();
    this.#toTarget(target, found.head);
    const left = this.#takeBody(exchange, rest);
    target.uncork();
    return left;
  }

  #takeBody(exchange: Exchange, bytes: Buffer): Buffer {
    const taken = exchange.body.take(bytes);
    if (taken > 0) this.#toTarget(exchange.target, taken === bytes.length ? bytes : bytes.subarray(0, taken));
    if (exchange.body.done && exchange.answered) this.#next();
    return bytes.subarray(taken);
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

  #hold(bytes: Buffer): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > maxHeld) this.#client.pause();
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    for (const bytes of held) this.#fromClient(bytes);
    this.#resumeClient();
    this.#passEnd();
  }

  #resumeClient(): void {
    if (this.#heldBytes <= maxHeld && !this.#engine.writableNeedDrain) this.#client.resume();
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
    if (!writeThrough(this.#client, bytes)) target.pause();
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

  #clientEnd(): void {
    this.#clientEnded = true;
    this.#passEnd();
  }

  /**
   * Passes the client's end on once all it sent is passed on. The engine takes it for a client that went away, and
   * still answers if it can; so does the interceptor.
   */
  #passEnd(): void {
    if (!this.#clientEnded || this.#held.length > 0) return;
    if (this.#state === 'http' && !this.#exchange) return this.#finish();
    const target = this.#exchange?.target ?? this.#engine;
    if (target !== this.#engine) this.#gone?.abort();
    if (target === this.#engine || !this.#exchange?.body.done) target.end();
  }

  #targetEnd(target: Duplex): void {
    if (this.#state === 'raw') this.#client.end();
    else if (!this.#exchange || this.#exchange.target === target) this.#finish();
  }

  #targetClose(target: Duplex): void {
    if (this.#state === 'raw') this.#client.destroySoon();
    else if (target !== this.#engine || this.#engineConnected) this.#targetEnd(target);
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
    const body = this.#exchange?.method === 'HEAD' ? '' : `${JSON.stringify({ message })}\n`;
    const status = proxiedStatusOf(code);
    const type = 'Content-Type: application/json';
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    this.#client.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${type}\r\n${length}\r\nConnection: close\r\n\r\n${body}`,
    );
    this.#endAndDrop();
  }

  #endAndDrop(): void {
    this.#state = 'refused';
    this.#exchange = undefined;
    this.#held = [];
    this.#heldBytes = 0;
    this.#client.end();
    this.#client.resume();
    this.#engine.destroy();
    this.#intercepted?.destroy();
  }

  #drop(bytes: Buffer): void {
    this.#dropped += bytes.length;
    if (this.#dropped > maxDropped) this.#client.destroy();
  }
}
