import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { messageOf, WeaveError } from '../lib/errors.ts';

/** `127.0.0.1:6784`, `[::1]:6784`, parted; the brackets go. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return {
    host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
    port: Number(address.slice(colon + 1)),
  };
}

/** An HTTP server on a TCP address. */
export class HttpServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * @param address `ip:port`; @param setting the flag and variable that chose it, for the message
   * @throws WeaveError ADDRESS_IN_USE, LAUNCH_FAILED
   */
  static async listen(address: string, setting: string, listener: RequestListener): Promise<HttpServer> {
    const server = createServer(listener);
    try {
      server.listen(splitAddress(address));
      await once(server, 'listening');
    } catch (error) {
      const [code, text] =
        (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
          ? (['ADDRESS_IN_USE', 'something else listens there'] as const)
          : (['LAUNCH_FAILED', messageOf(error)] as const);
      throw new WeaveError(code, `cannot listen on ${address}: ${text}; choose another with ${setting}`, {
        cause: error,
      });
    }
    return new HttpServer(server);
  }

  /** Stops listening and ends the connections; what is under way gets no answer. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
