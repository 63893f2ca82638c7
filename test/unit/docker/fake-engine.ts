import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An engine with faults that a real one can't be made to show. */
export class FakeEngine implements AsyncDisposable {
  /** `unix:///path` */
  readonly url: string;
  readonly #dir: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(dir: string, server: Server) {
    this.#dir = dir;
    this.#server = server;
    this.url = `unix://${dir}/engine.sock`;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /**
   * @param serve what it does with each request but `/_ping`; one that is not answered hangs
   * @param pong what it does with each `/_ping` but the first
   */
  static async start(
    serve: RequestListener,
    pong: (response: ServerResponse) => unknown = (response) => response.end('OK'),
  ): Promise<FakeEngine> {
    let pings = 0;
    const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
    const server = createServer((request, response) => {
      if (request.url !== '/_ping') return serve(request, response);
      response.setHeader('Api-Version', '1.51');
      if (++pings === 1) response.end('OK');
      else pong(response);
    });
    await new Promise<void>((resolve) => server.listen(join(dir, 'engine.sock'), resolve));
    return new FakeEngine(dir, server);
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** An inspect answer, as short as it can be. */
export function inspectAnswer(id: string): string {
  return JSON.stringify({
    Id: id,
    Name: `/${id}`,
    HostsPath: '',
    State: { Pid: 0, Running: false },
    Config: { Hostname: id, Env: null, Labels: null },
    HostConfig: { NetworkMode: 'default', ExtraHosts: null },
    Mounts: [],
  });
}
