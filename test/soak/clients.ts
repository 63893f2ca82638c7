import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Bytes of a request that slow clients never finish. */
const head = `GET /_ping HTTP/1.1\r\nHost: docker\r\nX-Slow: ${'x'.repeat(4096)}`;

/** Clients that connect and say nothing, and as many that send a byte a second. */
export class Clients implements Disposable {
  readonly #sockets: Socket[] = [];
  readonly #sending: NodeJS.Timeout;

  private constructor() {
    let sent = 0;
    this.#sending = setInterval(() => {
      const byte = head[sent++ % head.length] ?? 'x';
      for (const [index, socket] of this.#sockets.entries()) if (index % 2 === 1) socket.write(byte);
    }, 1_000);
  }

  static async connect(path: string, count: number): Promise<Clients> {
    const clients = new Clients();
    for (let number = 0; number < 2 * count; number++) {
      const socket = connect(path);
      socket.on('error', () => {});
      await once(socket, 'connect');
      clients.#sockets.push(socket);
    }
    return clients;
  }

  /** Those that are still connected. */
  get count(): number {
    return this.#sockets.filter((socket) => !socket.destroyed).length;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sending);
    for (const socket of this.#sockets) socket.destroy();
  }
}
