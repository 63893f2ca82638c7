import type { Logger } from '../lib/log.ts';
import type { TlsFiles } from '../model/tls.ts';
import type { Handlers } from './intercept/contract.ts';
import { Forwarder } from './intercept/forward.ts';
import { Interceptor } from './intercept/intercept.ts';
import { Connection } from './wire/connection.ts';
import { type Listener, listen } from './wire/listen.ts';
import type { SocketReader } from './wire/reads.ts';
import { Upstream } from './wire/upstream.ts';

/** A proxy's inputs. */
export interface ProxyOptions {
  /** `unix:///path`, `tcp://ip:port`, `ip:port`, `fd://` */
  hosts: readonly string[];
  /** `unix:///path`, `tcp://host:port` */
  engine: string;
  engineTls: TlsFiles | null;
  /** on the proxy's TCP endpoints */
  tls: TlsFiles | null;
  allowInsecureTcp: boolean;
  /** routes without one pass through */
  handlers: Handlers;
  logger: Logger;
}

/** The proxy in front of the engine, running. */
export class DockerProxy {
  /** where it listens, in the form that DOCKER_HOST takes */
  readonly addresses: readonly string[];
  readonly #listeners: readonly Listener[];
  readonly #connections: Set<Connection>;

  private constructor(listeners: readonly Listener[], connections: Set<Connection>) {
    this.addresses = listeners.map(({ address }) => address);
    this.#listeners = listeners;
    this.#connections = connections;
  }

  /** Starts to listen. The engine need not run yet. @throws WeaveError as {@link listen} and {@link Upstream.create} */
  static async start(options: ProxyOptions): Promise<DockerProxy> {
    const { hosts, tls, allowInsecureTcp, logger } = options;
    const upstream = await Upstream.create(options.engine, options.engineTls);
    const interceptor = new Interceptor(options.handlers, new Forwarder(upstream), logger);
    const connections = new Set<Connection>();
    const accept = (client: SocketReader) => {
      const engine = upstream.connect();
      const { unreachable } = upstream;
      const connection = new Connection({ client, engine, interceptor, unreachable, logger });
      connections.add(connection);
      void connection.closed.then(() => connections.delete(connection));
    };
    const like = upstream.endpoint.kind === 'unix' ? upstream.endpoint.path : undefined;
    const listeners = await listen({ hosts, like, tls, allowInsecureTcp, accept });
    return new DockerProxy(listeners, connections);
  }

  /**
   * Accepts no more clients and removes its sockets, then ends connections when their requests are answered, and all
   * that is left when `grace` is aborted; without `grace`, all at once.
   */
  async close(grace: AbortSignal = AbortSignal.abort()): Promise<void> {
    const closed = this.#listeners.map(({ server }) => new Promise((resolve) => server.close(resolve)));
    const over = new Promise<unknown>((resolve) => {
      if (grace.aborted) resolve(undefined);
      else grace.addEventListener('abort', resolve, { once: true });
    });
    for (const connection of this.#connections) connection.closeWhenIdle();
    await Promise.race([over, Promise.all([...this.#connections].map((connection) => connection.closed))]);
    for (const connection of this.#connections) connection.destroy();
    // Clients in the middle of a TLS handshake are not connections yet.
    for (const { sockets } of this.#listeners) for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  }
}
