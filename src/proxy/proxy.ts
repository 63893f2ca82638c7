import type { Socket } from 'node:net';
import type { TlsFiles } from '../control/contract.ts';
import type { Logger } from '../lib/log.ts';
import { Connection } from './connection.ts';
import type { Handlers } from './contract.ts';
import { Forwarder } from './forward.ts';
import { Interceptor } from './intercept.ts';
import { closeAll, type Listener, listenAll } from './listen.ts';
import { Upstream } from './upstream.ts';

/** What a {@link DockerProxy} is made of. */
export interface ProxyOptions {
  /** where clients connect: `unix:///path`, `tcp://ip:port`, `ip:port`, `fd://` */
  hosts: readonly string[];
  /** DOCKER_HOST of the engine */
  engine: string;
  engineTls: TlsFiles | null;
  /** on TCP endpoints */
  tls: TlsFiles | null;
  allowInsecureTcp: boolean;
  /** what is done to the calls that don't just pass */
  handlers: Handlers;
  logger: Logger;
}

/** ms that answers on their way have to end before their connections are cut. */
const grace = 2_000;

/** The proxy in front of the engine. */
export class DockerProxy {
  /** In the form of DOCKER_HOST, in the order in which they were asked for. */
  readonly addresses: readonly string[];
  readonly #listeners: readonly Listener[];
  readonly #connections: ReadonlySet<Connection>;

  private constructor(listeners: readonly Listener[], connections: ReadonlySet<Connection>) {
    this.addresses = listeners.map(({ address }) => address);
    this.#listeners = listeners;
    this.#connections = connections;
  }

  /** @throws WeaveError ADDRESS_IN_USE, INSECURE_TCP, TLS_CONFIG, USAGE */
  static async start(options: ProxyOptions): Promise<DockerProxy> {
    const { logger } = options;
    const upstream = await Upstream.create(options.engine, options.engineTls);
    const interceptor = new Interceptor(options.handlers, new Forwarder(upstream), logger);
    const connections = new Set<Connection>();
    const onClient = (client: Socket) => {
      const engine = upstream.connect({ allowHalfOpen: true });
      const { unreachable } = upstream;
      const connection = new Connection({ client, engine, interceptor, unreachable, logger });
      connections.add(connection);
      client.once('close', () => connections.delete(connection));
    };
    const { endpoint } = upstream;
    const like = endpoint.kind === 'unix' ? endpoint.path : undefined;
    return new DockerProxy(await listenAll({ ...options, like, onClient }), connections);
  }

  /** Stops listening; ends idle connections at once, others with their answer or after a short while. */
  async close(): Promise<void> {
    await closeAll(this.#listeners);
    for (const connection of this.#connections) connection.closeWhenIdle();
    const end = Date.now() + grace;
    while (this.#connections.size > 0 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (const connection of this.#connections) connection.destroy();
  }
}
