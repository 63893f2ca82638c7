import { EventClients } from '../../http/event-clients.ts';
import type { PageDeps } from '../../http/routes/page.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { version } from '../../lib/version.ts';
import type { Checkup } from '../checkup.ts';
import { NetworkChanges } from '../network-changes.ts';
import { NetworkViewer } from '../network-viewer.ts';
import { Rounds } from '../rounds.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { JoinedCluster } from './join-cluster.ts';
import type { PreparedHost } from './prepare-host.ts';
import type { StartedContainers } from './start-containers.ts';
import type { StartedDns } from './start-dns.ts';

interface Deps extends Pick<DaemonDeps, 'logger' | 'conditions'> {
  host: PreparedHost;
  joined: JoinedCluster;
  dns: StartedDns;
  containers: StartedContainers;
  checkup: Checkup;
}

/** Makes what the page shows, and what tells it of changes. */
export function showNetwork(
  { host, joined, dns, containers, checkup, conditions, logger }: Deps,
  undo: UndoStack,
): { page: PageDeps; changes: NetworkChanges } {
  const { config, peer, underlay, engine } = host;
  const { seat } = joined;
  const { history, reconciler, attachments, naming, exposer } = containers;
  const viewer = new NetworkViewer({
    about: {
      version,
      self: peer,
      domain: dns.server === undefined ? '' : config.dnsDomain.replace(/\.$/, ''),
      range: config.ipallocRange ?? '',
      encryption: config.password !== null,
    },
    self: { nickname: config.nickname, address: underlay.address ?? '' },
    engine,
    reconciler,
    attachments,
    naming,
    names: dns.names,
    exposer,
    // The host may come into one while it runs.
    get cluster() {
      return seat.cluster;
    },
    paths: () => seat.datapath?.state() ?? [],
    conditions,
    checkup,
    history,
  });
  const clients = new EventClients();
  const settled = (id: string) => reconciler.settled(id);
  const rounds = new Rounds({ checkup, logger });
  const visited = () => rounds.visit();
  const changes = new NetworkChanges({ viewer, history, conditions, settled, visited, clients, logger });
  undo.push(async () => changes.close());
  seat.followBy(changes.follower((name) => seat.cluster?.nicknames.get(name) ?? name));
  return {
    page: {
      view: () => changes.view(),
      history: (subject) => history.of(subject),
      begin: () => changes.begin(),
      clients,
    },
    changes,
  };
}
