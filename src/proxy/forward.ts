import { type IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { ProxyServer } from 'http-proxy';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { EngineAnswer } from './contract.ts';
import { originForm } from './routes.ts';
import type { Upstream } from './upstream.ts';

/** Sends intercepted requests on to the engine. */
export class Forwarder {
  readonly #upstream: Upstream;
  readonly #proxy: ProxyServer;
  readonly #waiting = new WeakMap<IncomingMessage, (answer: IncomingMessage) => void>();

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
    this.#proxy = new ProxyServer({
      // The agent knows where to connect to; this only stands for it.
      target: { protocol: 'http:', host: 'localhost', port: 80 },
      agent: upstream.agent,
      toProxy: true,
      selfHandleResponse: true,
    });
    this.#proxy.on('proxyRes', (answer, request) => this.#waiting.get(request)?.(answer));
  }

  /**
   * Sends a request with this body.
   * @returns the engine's answer once its head has come
   * @throws WeaveError ENGINE_UNREACHABLE
   */
  forward(request: IncomingMessage, body: Buffer): Promise<EngineAnswer> {
    // The body is here in whole and plain, however it came.
    delete request.headers['transfer-encoding'];
    delete request.headers.expect;
    delete request.headers.connection;
    delete request.headers['content-length'];
    if (body.length > 0 || request.method !== 'GET') request.headers['content-length'] = String(body.length);
    request.url = originForm(request.url ?? '/');
    // Stands in for the client's answer, whose end would cut the request short.
    const response = new ServerResponse(request);
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, (answer) => resolve(engineAnswer(answer)));
      const buffer = Readable.from([body], { objectMode: false });
      this.#proxy.web(request, response, { buffer }, (cause) => {
        // Without an answer; after one, the error comes from its stream too.
        const reached = (cause as NodeJS.ErrnoException).code === 'ECONNRESET';
        const message = reached
          ? `the engine closed the connection: ${messageOf(cause)}`
          : this.#upstream.unreachable;
        reject(new WeaveError('ENGINE_UNREACHABLE', message, { cause }));
      });
    });
  }
}

function engineAnswer(answer: IncomingMessage): EngineAnswer {
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    headers.push([answer.rawHeaders[at] ?? '', answer.rawHeaders[at + 1] ?? '']);
  }
  return {
    status: answer.statusCode ?? 0,
    statusText: answer.statusMessage ?? '',
    headers,
    stream: answer,
    buffer: async () => Buffer.concat(await answer.toArray()),
  };
}
