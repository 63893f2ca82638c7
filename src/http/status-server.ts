import type { Logger } from '../lib/log.ts';
import { ourHosts } from './guard.ts';
import { HttpServer, splitAddress } from './listen.ts';
import { serveRoutes } from './router.ts';
import { type PageDeps, pageRoutes } from './routes/page.ts';
import { type ReadDeps, readRoutes } from './routes/read.ts';

/**
 * Serves the read-only routes: for monitoring /status, /report, /metrics; for people the page.
 * @param address `ip:port`
 * @throws WeaveError ADDRESS_IN_USE, LAUNCH_FAILED
 */
export function startStatusServer(
  address: string,
  sources: ReadDeps & { page: PageDeps },
  logger: Logger,
): Promise<HttpServer> {
  const routes = { ...readRoutes(sources), ...pageRoutes(sources.page) };
  const listener = serveRoutes(routes, { isOurHost: ourHosts(splitAddress(address).host), logger });
  return HttpServer.listen(address, '--status-addr or WEAVE_STATUS_ADDR', listener);
}
