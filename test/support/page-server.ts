import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventClients } from '../../src/http/event-clients.ts';
import { ourHosts } from '../../src/http/guard.ts';
import { serveRoutes } from '../../src/http/router.ts';
import { pageRoutes } from '../../src/http/routes/page.ts';
import { silent } from '../../src/lib/log.ts';
import type { EventView, NetworkChange, NetworkView } from '../../src/report/network.ts';

/** Serves the page as the daemon does, of a network that is made up. */
export class PageServer implements AsyncDisposable {
  readonly url: string;
  readonly clients: EventClients;
  readonly #close: () => Promise<void>;
  #sequence = 0;

  private constructor(url: string, clients: EventClients, close: () => Promise<void>) {
    this.url = url;
    this.clients = clients;
    this.#close = close;
  }

  static async start(
    network: () => NetworkView,
    {
      clients = new EventClients(),
      history = () => [],
    }: { clients?: EventClients; history?: (subject: string) => readonly EventView[] } = {},
  ): Promise<PageServer> {
    const routes = pageRoutes({
      view: async () => ({ ...network(), sequence: server.#sequence }),
      history,
      begin: () => ({ sequence: server.#sequence }),
      clients,
    });
    const http = createServer(serveRoutes(routes, { isOurHost: ourHosts('127.0.0.1'), logger: silent }));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const { port } = http.address() as AddressInfo;
    const server = new PageServer(`http://127.0.0.1:${port}/`, clients, async () => {
      const closed = once(http, 'close');
      http.close();
      http.closeAllConnections();
      await closed;
    });
    return server;
  }

  /** Tells the pages of a change. */
  change(change: Omit<NetworkChange, 'sequence'>): void {
    this.clients.publish('change', { sequence: ++this.#sequence, ...change });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}
