import { Agent } from 'node:http';
import { connect as connectPlain, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { TlsFiles } from '../control/contract.ts';
import { WeaveError } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint, parseEndpoint } from './endpoint.ts';
import { readTls, type TlsContext } from './tls.ts';

/** The engine behind the proxy: opens connections to it. */
export class Upstream {
  readonly endpoint: Exclude<Endpoint, { kind: 'fd' }>;
  /** For node:http: a connection of its own for each request, so that none is lost to a stale one. */
  readonly agent: Agent;
  readonly #tls: (TlsContext & { verify: boolean }) | undefined;

  private constructor(
    endpoint: Exclude<Endpoint, { kind: 'fd' }>,
    tls: (TlsContext & { verify: boolean }) | undefined,
  ) {
    this.endpoint = endpoint;
    this.#tls = tls;
    // Kept alive, yet never kept: so no request says `Connection: close`, which the answer would repeat.
    this.agent = Object.assign(new Agent({ keepAlive: true }), {
      createConnection: () => this.#connect(false),
      keepSocketAlive: () => false,
    });
  }

  /** @throws WeaveError USAGE, TLS_CONFIG */
  static async create(engine: string, tls: TlsFiles | null): Promise<Upstream> {
    const endpoint = parseEndpoint(engine, tls ? 2376 : 2375);
    if (endpoint.kind === 'fd') throw new WeaveError('USAGE', `'${engine}' is no address of an engine`);
    return new Upstream(endpoint, tls ? { ...(await readTls(tls)), verify: tls.verify } : undefined);
  }

  /** What a Docker client would say, for answers when the engine can't be reached. */
  get unreachable(): string {
    return `Cannot connect to the Docker daemon at ${formatEndpoint(this.endpoint)}. Is the docker daemon running?`;
  }

  /**
   * Opens a connection to be spliced: each way ends on its own, and a write that fails doesn't stop the reading.
   * Errors come as its events.
   */
  connect(): Socket {
    return readOnAfterFailedWrite(this.#connect(true));
  }

  #connect(allowHalfOpen: boolean): Socket {
    const { endpoint } = this;
    if (endpoint.kind === 'unix') {
      const local: NetConnectOpts = { path: endpoint.path, ...{ allowHalfOpen } };
      return readOnAfterFailedWrite(connectPlain(local));
    }
    const { host, port } = endpoint;
    if (!this.#tls) return readOnAfterFailedWrite(connectPlain({ host, port, allowHalfOpen, noDelay: true }));
    const { verify, ...files } = this.#tls;
    const servername = isIP(host) ? undefined : host;
    const target: ConnectionOptions = {
      host,
      port,
      servername,
      ...files,
      rejectUnauthorized: verify,
      ...{ allowHalfOpen },
    };
    const socket = connectTls(target);
    return socket.setNoDelay(true);
  }
}

/**
 * Lets a socket go on reading after a write has failed. An engine that refuses an upload answers, closes, and leaves
 * the rest unread: the write fails, but the answer is still to be read, and ends the connection when it is.
 */
function readOnAfterFailedWrite(socket: Socket): Socket {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  type Done = (error?: Error | null) => void;
  const tolerant =
    (done: Done): Done =>
    (error) => {
      if (error && !socket.readableEnded) {
        socket.once('end', () => socket.destroy());
        done();
      } else {
        done(error);
      }
    };
  socket._write = (chunk, encoding, done) => write(chunk, encoding, tolerant(done));
  if (writev) socket._writev = (chunks, done) => writev(chunks, tolerant(done));
  return socket;
}
