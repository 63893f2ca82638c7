import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../src/lib/log.ts';
import type { Handlers } from '../../src/proxy/intercept/contract.ts';
import { DockerProxy } from '../../src/proxy/proxy.ts';

/** A client's raw connection, all it received, and whether the other side has ended. */
export class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  send(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** Waits until `done` of what was received, which is given as latin1. */
  async until(done: (text: string, client: RawClient) => boolean, ms = 120_000): Promise<string> {
    const end = Date.now() + ms;
    while (!done(this.text, this)) {
      if (Date.now() > end)
        throw new Error(`timed out; ended ${this.ended}, received ${JSON.stringify(this.text)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return this.text;
  }

  get text(): string {
    return this.received.toString('latin1');
  }
}

/** A proxy in front of a scripted engine, for faults that a real one can't be made to show. */
export class Scripted implements AsyncDisposable {
  readonly proxy: DockerProxy;
  readonly #dir: string;
  readonly #engine: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(proxy: DockerProxy, dir: string, engine: Server, sockets: Set<Socket>) {
    this.proxy = proxy;
    this.#dir = dir;
    this.#engine = engine;
    this.#sockets = sockets;
  }

  /** @param script what the engine does with each connection */
  static async start(script: (socket: RawClient) => void, handlers: Handlers = {}): Promise<Scripted> {
    const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
    const sockets = new Set<Socket>();
    const engine = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      script(new RawClient(socket));
    });
    await new Promise<void>((resolve) => engine.listen(join(dir, 'engine.sock'), resolve));
    const proxy = await DockerProxy.start({
      hosts: [`unix://${dir}/proxy.sock`],
      engine: `unix://${dir}/engine.sock`,
      engineTls: null,
      tls: null,
      allowInsecureTcp: false,
      handlers,
      logger: silent,
    });
    return new Scripted(proxy, dir, engine, sockets);
  }

  connect(): RawClient {
    return new RawClient(connect({ path: `${this.#dir}/proxy.sock`, allowHalfOpen: true }));
  }

  /** The engine's connections that are still open. */
  get open(): number {
    return [...this.#sockets].filter((socket) => !socket.destroyed).length;
  }

  stopEngine(): void {
    this.#engine.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.close();
    this.stopEngine();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
