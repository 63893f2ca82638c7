import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** Of `docker run`, in its order: each when it is sent, and when its answer begins. */
export const requests = ['ping', 'create', 'attach', 'wait', 'start'].flatMap((name) => [
  `${name} sent`,
  `${name} answered`,
]);

/** Passes bytes on between clients and an engine's socket, and keeps the times of the requests. */
export class Relay implements AsyncDisposable {
  readonly path: string;
  readonly #dir: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #began = 0;
  #times = new Map<string, number>();

  private constructor(dir: string, upstream: string) {
    this.#dir = dir;
    this.path = join(dir, 'relay.sock');
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#relay(client, upstream));
  }

  static async to(upstream: string): Promise<Relay> {
    const relay = new Relay(await mkdtemp('/tmp/weavets-relay-'), upstream);
    await new Promise<void>((resolve) => relay.#server.listen(relay.path, resolve));
    return relay;
  }

  /** Plays one run of a client. @returns ms from its beginning, by the names in {@link requests} */
  async times(play: () => Promise<void>): Promise<Map<string, number>> {
    this.#times = new Map();
    this.#began = performance.now();
    await play();
    return this.#times;
  }

  #relay(client: Socket, upstream: string): void {
    const engine = connect({ path: upstream, allowHalfOpen: true });
    for (const socket of [client, engine]) {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    }
    let asked: string | undefined;
    client.on('data', (bytes: Buffer) => {
      const [, target] = /^[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(bytes.toString('latin1')) ?? [];
      // A body, in a packet of its own.
      if (target === undefined) return;
      asked = /\/(_ping|create|attach|wait|start)(\?|$)/.exec(target)?.[1]?.replace('_', '');
      if (asked !== undefined) this.#note(`${asked} sent`);
    });
    engine.on('data', (bytes: Buffer) => {
      if (asked !== undefined && bytes.toString('latin1', 0, 5) === 'HTTP/') this.#note(`${asked} answered`);
    });
    client.pipe(engine);
    engine.pipe(client);
  }

  /** The first of each counts. */
  #note(name: string): void {
    if (!this.#times.has(name)) this.#times.set(name, performance.now() - this.#began);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.#dir, { recursive: true });
  }
}
