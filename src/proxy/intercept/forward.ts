import { type IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { ProxyServer } from 'http-proxy';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import { originForm } from '../wire/routes.ts';
import type { Upstream } from '../wire/upstream.ts';
import type { EngineAnswer } from './contract.ts';

/** Sends intercepted requests on to the engine. */
export class Forwarder {
  readonly #upstream: Upstream;
  readonly #proxy: ProxyServer;
  readonly #waiting = new WeakMap<IncomingMessage, (answer: IncomingMessage) => void>();

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
    this.#proxy = new ProxyServer({
      // The agent knows where to connect to; this is only a placeholder.
      target: { protocol: 'http:', host: 'localhost', port: 80 },
      agent: upstream.agent,
      toProxy: true,
      selfHandleResponse: true,
    });
    this.#proxy.on('proxyRes', (answer, request) => this.#waiting.get(request)?.(answer));
  }

  /**
   * Sends a request with this body, or with its own as read before.
   * @returns the engine's answer once its head has come
   * @throws WeaveError ENGINE_UNREACHABLE
   */
  forward(request: IncomingMessage, body: { own: Buffer } | { changed: Buffer }): Promise<EngineAnswer> {
    const bytes = 'own' in body ? body.own : body.changed;
    const { headers } = request;
    // The body is here already, and the connection is another.
    delete headers.expect;
    delete headers.connection;
    // The engine tells an empty body in chunks from none; so they stay chunks, if they are the client's.
    if ('changed' in body) {
      // A client without a body did not need to state its type.
      if (!headers['transfer-encoding'] && !Number(headers['content-length']))
        headers['content-type'] = 'application/json';
      delete headers['transfer-encoding'];
    }
    if (!headers['transfer-encoding']) headers['content-length'] = String(bytes.length);
    if (bytes.length === 0 && request.method === 'GET') delete headers['content-length'];
    request.url = originForm(request.url ?? '/');
    // Stands in for the client's answer, whose end would cut the request short.
    const response = new ServerResponse(request);
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, (answer) => resolve(engineAnswer(answer)));
      const buffer = Readable.from([bytes], { objectMode: false });
      this.#proxy.web(request, response, { buffer }, (cause) => {
        // No answer; after one, the error comes from its stream too.
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
  const { statusCode: status = 0, statusMessage: statusText = '' } = answer;
  const head = { status, statusText, headers, stream: answer };
  if (status !== 204 && status !== 304)
    return { ...head, buffer: async () => Buffer.concat(await answer.toArray()) };
  // Those have no body.
  answer.resume();
  const body = Buffer.of();
  return { ...head, body, buffer: async () => body };
}
