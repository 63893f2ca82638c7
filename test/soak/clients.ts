import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Bytes of a request that slow clients never finish. */
const head = `GET /_ping HTTP/1.1\r\nHost: docker\r\nX-Slow: ${'x'.repeat(4096)}`;

/**
 * Clients that connect and say nothing, and as many that send a byte a second. The engine ends each after five minutes
 * without a request, and the proxy with it; then another comes.
 */
export class Clients implements Disposable {
  readonly #path: string;
  readonly #sockets = new Map<number, Socket>();
  readonly #sending: NodeJS.Timeout;
  #ended = false;

  private constructor(path: string) {
    this.#path = path;
    let sent = 0;
    this.#sending = setInterval(() => {
      const byte = head[sent++ % head.length] ?? 'x';
      for (const [number, socket] of this.#sockets) if (number % 2 === 1) socket.write(byte);
    }, 1_000);
  }

  static async connect(path: string, count: number): Promise<Clients> {
    const clients = new Clients(path);
    for (let number = 0; number < 2 * count; number++) await once(clients.#come(number), 'connect');
    return clients;
  }

  #come(number: number): Socket {
    const socket = connect(this.#path);
    this.#sockets.set(number, socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      if (!this.#ended) this.#come(number);
    });
    return socket;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearInterval(this.#sending);
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}
