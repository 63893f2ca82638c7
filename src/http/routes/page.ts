import type { EventView, NetworkView } from '../../report/network.ts';
import type { EventClients } from '../event-clients.ts';
import { PageFiles } from '../page-files.ts';
import { type Answer, notFound, type RouteCall, type Routes } from '../router.ts';

/** What the page shows. */
export interface PageDeps {
  view(): Promise<NetworkView>;
  /** what happened to a container or a host, the oldest first */
  history(subject: string): readonly EventView[];
  /** who is told of each change */
  clients: EventClients;
  /** what who follows is told first */
  begin(): unknown;
  files?: PageFiles;
}

/** `/`, the page, and what it reads: `/network`, `/network/events`, `/network/history/ID`. */
export function pageRoutes({ view, history, clients, begin, files = new PageFiles() }: PageDeps): Routes {
  const json = (value: unknown): Answer => ({ type: 'application/json', text: JSON.stringify(value) });
  const file = (name: string, { headers }: RouteCall): Answer =>
    files.answer(name, headers['accept-encoding']?.toString()) ?? notFound(`the page has no file ${name}`);
  return {
    '/': { GET: (call) => file('index.html', call) },
    '/page/:id': { GET: (call) => file(call.path.id, call) },
    '/network': { GET: async () => json(await view()) },
    '/network/events': { GET: () => clients.answer(begin) },
    '/network/history/:id': { GET: ({ path: { id } }) => json(history(id)) },
  };
}
