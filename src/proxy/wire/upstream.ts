import { Agent } from 'node:http';
import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { WeaveError } from '../../lib/errors.ts';
import { type Endpoint, formatEndpoint, parseEndpoint } from '../../model/endpoint.ts';
import type { TlsFiles } from '../../model/tls.ts';
import { decrypted, Reads, type SocketReader } from './reads.ts';
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
    // Keep-alive without keeping any, so no request says `Connection: close`, which the answer would repeat.
    this.agent = Object.assign(new Agent({ keepAlive: true }), {
      createConnection: () => readOnAfterFailedWrite(this.#connect({})),
      keepSocketAlive: () => false,
    });
  }

  /** @throws WeaveError USAGE, TLS_CONFIG */
  static async create(engine: string, tls: TlsFiles | null): Promise<Upstream> {
    const endpoint = parseEndpoint(engine, tls ? 2376 : 2375);
    if (endpoint.kind === 'fd') throw new WeaveError('USAGE', `'${engine}' is no address of an engine`);
    return new Upstream(endpoint, tls ? { ...(await readTls(tls)), verify: tls.verify } : undefined);
  }

  /** The message a Docker client would print, for when the engine can't be reached. */
  get unreachable(): string {
    return `Cannot connect to the Docker daemon at ${formatEndpoint(this.endpoint)}. Is the docker daemon running?`;
  }

  /**
   * Opens a connection to be spliced: each way ends on its own, and a write that fails doesn't stop the reading.
   * Errors come as its events.
   */
  connect(): SocketReader {
    if (this.#tls) return decrypted(readOnAfterFailedWrite(this.#connect({ allowHalfOpen: true })));
    const reads = new Reads();
    const options = { allowHalfOpen: true, onread: reads.options };
    return { socket: readOnAfterFailedWrite(this.#connect(options)), reads };
  }

  #connect(options: { allowHalfOpen?: boolean; onread?: OnReadOpts }): Socket {
    const { endpoint } = this;
    if (endpoint.kind === 'unix') return connectPlain({ path: endpoint.path, ...options });
    const { host, port } = endpoint;
    if (!this.#tls) return connectPlain({ host, port, noDelay: true, ...options });
    const { verify, ...files } = this.#tls;
    const servername = isIP(host) ? undefined : host;
    const target: ConnectionOptions = {
      host,
      port,
      servername,
      ...files,
      rejectUnauthorized: verify,
      ...options,
    };
    return connectTls(target).setNoDelay(true);
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
