import { lstatSync, unlinkSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { acceptsConnections } from '../lib/accepts.ts';
import { codeOf, messageOf, statusOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { readBody } from '../lib/read-body.ts';
import type { Operation, Operations } from './contract.ts';
import { isOperation, parseInput } from './inputs.ts';

/** What carries out each operation. The signal aborts when the client goes away or the server closes. */
export type OperationHandlers = {
  [K in Operation]: (input: Operations[K]['in'], signal: AbortSignal) => Promise<Operations[K]['out']>;
};

/** What a {@link ControlServer} needs beside its handlers. */
export interface ControlServerOptions {
  logger: Logger;
  /** Answers every path outside of `/op/`; default: 404. */
  fallback?: RequestListener;
}

/** Bytes that a request's body may have. */
const bodyLimit = 1024 * 1024;

/**
 * Serves the operations of the contract on a unix socket that only root may open:
 * `POST /op/<name>`, JSON in and out; an error is `{"code", "message"}` with a status of 4xx or 5xx.
 */
export class ControlServer {
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly #handlers: OperationHandlers;
  readonly #logger: Logger;

  private constructor(handlers: OperationHandlers, options: ControlServerOptions) {
    this.#handlers = handlers;
    this.#logger = options.logger;
    const fallback = options.fallback ?? notFound;
    this.#server = createServer((request, response) => {
      const path = request.url?.split('?')[0] ?? '';
      if (path.startsWith('/op/')) void this.#operate(path.slice('/op/'.length), request, response);
      else fallback(request, response);
    });
    // A connection that a client keeps open would hold up `close`.
    this.#server.maxRequestsPerSocket = 1;
  }

  /**
   * Listens on a socket with mode 0600; one that a dead daemon left is replaced.
   * @throws WeaveError ALREADY_RUNNING if somebody answers on it
   */
  static async listen(
    path: string,
    handlers: OperationHandlers,
    options: ControlServerOptions,
  ): Promise<ControlServer> {
    const control = new ControlServer(handlers, options);
    try {
      await listenPrivately(control.#server, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await removeStale(path);
      await listenPrivately(control.#server, path);
    }
    return control;
  }

  /** Stops listening, aborts what is under way, removes the socket, waits for the answers to be sent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#closing.abort(new WeaveError('NOT_RUNNING', 'weavets is stopping'));
    });
  }

  async #operate(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client went away')));
    try {
      if (!isOperation(name)) throw new WeaveError('BAD_REQUEST', `there is no operation '${name}'`);
      if (request.method !== 'POST') throw new WeaveError('BAD_REQUEST', `'${name}' is called by POST`);
      const body = await readBody(request, bodyLimit);
      const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
      answer(response, 200, await this.#handle(name, body, signal));
    } catch (error) {
      // The client that went away has no use for an answer, nor the log for its going.
      if (gone.signal.aborted) return;
      if (!(error instanceof WeaveError))
        this.#logger.error({ err: error, operation: name }, 'operation failed');
      const code = codeOf(error);
      answer(response, statusOf(code), { code, message: messageOf(error) });
    }
  }

  #handle<K extends Operation>(name: K, body: string, signal: AbortSignal): Promise<Operations[K]['out']> {
    return this.#handlers[name](parseInput(name, body), signal);
  }
}

/** Binds under a umask: between bind and chmod anyone could connect. Node binds before `listen` returns. */
function listenPrivately(server: Server, path: string): Promise<void> {
  const umask = process.umask(0o177);
  try {
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } finally {
    process.umask(umask);
  }
}

/** Removes a socket on which nobody listens. @throws WeaveError ALREADY_RUNNING if somebody does */
async function removeStale(path: string): Promise<void> {
  const before = lstatSync(path);
  if (!before.isSocket()) {
    throw new WeaveError('LAUNCH_FAILED', `${path} is in the way and is not a socket; remove it`);
  }
  if (await acceptsConnections(path)) throw new WeaveError('ALREADY_RUNNING', 'weavets is already running');
  // Another daemon may have replaced it meanwhile: that one is alive.
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now?.ino === before.ino) unlinkSync(path);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

const notFound: RequestListener = (request, response) => {
  answer(response, 404, { code: 'BAD_REQUEST', message: `there is nothing at ${request.url}` });
};
