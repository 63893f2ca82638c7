import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codeOf, messageOf, proxiedStatusOf, WeaveError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { maxHead } from '../wire/head.ts';
import { duplexPair } from '../wire/pair.ts';
import { match, type Route } from '../wire/routes.ts';
import { errorAnswer, refusal } from './answer.ts';
import {
  type Call,
  type EngineAnswer,
  type ErrorAnswer,
  type Handler,
  type Handlers,
  maxBody,
} from './contract.ts';
import type { Forwarder } from './forward.ts';

/** Serves the routes that have handlers, to connections inside this process: an HTTP server that never listens. */
export class Interceptor {
  readonly #handlers: Handlers;
  readonly #forwarder: Forwarder;
  readonly #logger: Logger;
  readonly #server: Server;
  readonly #signals = new WeakMap<Duplex, AbortSignal>();

  constructor(handlers: Handlers, forwarder: Forwarder, logger: Logger) {
    this.#handlers = handlers;
    this.#forwarder = forwarder;
    this.#logger = logger;
    const noTimeouts = {
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 0,
      connectionsCheckingInterval: 1e9,
    };
    this.#server = createServer({ ...noTimeouts, maxHeaderSize: maxHead }, (request, response) => {
      void this.#serve(request, response);
    });
    // For what Node's parser refuses although ours let it through: by default it closes without an answer.
    this.#server.on('clientError', (error, socket) => refuse(socket, error));
  }

  handles(route: Route): boolean {
    return this.#handler(route) !== undefined;
  }

  /** A connection to this server. @param signal aborted when the client behind it went away */
  connect(signal: AbortSignal): Duplex {
    const [client, server] = duplexPair();
    this.#signals.set(server, signal);
    this.#server.emit('connection', server);
    return client;
  }

  #handler(route: Route): Handler | undefined {
    return route.name === 'hijack' ? undefined : this.#handlers[route.name];
  }

  /** What the handler of a call answers, or its error says. */
  async answer(call: Call): Promise<EngineAnswer | ErrorAnswer> {
    try {
      const handler = this.#handler(call.route);
      if (!handler) throw new WeaveError('INTERNAL', `no handler for ${call.route.name}`);
      return await handler(call);
    } catch (error) {
      // The client has ended: no fault of anyone's.
      if (call.signal.aborted && (error as Error).name === 'AbortError')
        return { status: 500, message: messageOf(error) };
      return this.#failed(error, call.target);
    }
  }

  #failed(error: unknown, target?: string): ErrorAnswer {
    const status = proxiedStatusOf(codeOf(error));
    if (status === 500) this.#logger.error({ err: error, target }, 'call failed');
    return { status, message: messageOf(error) };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Node would add these, the engine does not.
    response.sendDate = false;
    if (response.shouldKeepAlive) response.removeHeader('Connection');
    const call = this.#call(request);
    const answer = call
      ? await this.answer(call)
      : this.#failed(new WeaveError('INTERNAL', 'no handler for this call'), request.url);
    if (!('message' in answer)) {
      const broken = (error: unknown) => {
        this.#failed(error, request.url);
        response.destroy();
      };
      return sendAnswer(request, response, answer).catch(broken);
    }
    // The rest of an oversized body would have to be read before another request.
    if (answer.status === 413) response.shouldKeepAlive = false;
    sendError(response, answer);
  }

  #call(request: IncomingMessage): Call | undefined {
    const { method = '', url: target = '' } = request;
    const route = match(method, target);
    const signal = this.#signals.get(request.socket);
    if (!route || !signal) return undefined;
    let body: Promise<Buffer> | undefined;
    const readOnce = () => {
      body ??= readBody(request);
      return body;
    };
    return {
      route,
      method,
      target,
      signal,
      body: readOnce,
      forward: async (changed) =>
        this.#forwarder.forward(request, changed ? { changed } : { own: await readOnce() }),
    };
  }
}

/** Listens rather than iterates: leaving an iteration early would destroy the connection before the 413 is sent. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    request.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= maxBody) parts.push(part);
      else {
        parts.length = 0;
        reject(new WeaveError('BODY_TOO_LARGE', `the body of this call may have at most ${maxBody} bytes`));
      }
    });
    request.once('end', () => resolve(Buffer.concat(parts)));
    const stopped = (cause?: Error) => {
      if (request.complete) return;
      reject(new WeaveError('BAD_REQUEST', 'the client stopped in the middle of the body', { cause }));
    };
    request.once('error', stopped).once('close', () => stopped());
  });
}

/** The engine's answer as it came, except for headers about its connection. */
async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  answer: EngineAnswer,
): Promise<void> {
  const old = request.httpVersion === '1.0';
  // HTTP/1.0 knows no chunks: such an answer ends with the connection.
  if (old) response.shouldKeepAlive = false;
  const own = old ? /^(connection|keep-alive|transfer-encoding)$/i : /^(connection|keep-alive)$/i;
  const headers = answer.headers.filter(([name]) => !own.test(name)).flat();
  response.writeHead(answer.status, answer.statusText, headers);
  if (answer.body) {
    response.end(answer.body);
    return;
  }
  response.flushHeaders();
  await pipeline(answer.stream, response);
}

function refuse(socket: Duplex, { message }: Error): void {
  if (socket.writable) socket.end(refusal({ status: 400, message: `malformed HTTP request: ${message}` }));
}

function sendError(response: ServerResponse, error: ErrorAnswer): void {
  const { status, headers, body } = errorAnswer(error);
  response.writeHead(status, headers.flat());
  response.end(body);
}
