import { ExecGate } from '../../containers/exec-gate.ts';
import { ControlServer } from '../../control/server.ts';
import { Lookup } from '../../dns/lookup.ts';
import type { PageDeps } from '../../http/routes/page.ts';
import { type ApiDeps, apiListener, startApiServer } from '../../http/routes/weave.ts';
import { startStatusServer } from '../../http/status-server.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { version } from '../../lib/version.ts';
import { paths } from '../../model/paths.ts';
import { bridgeName } from '../../net/bridge.ts';
import { createHandlers } from '../../proxy/calls/handlers.ts';
import { DockerProxy } from '../../proxy/proxy.ts';
import type { Checkup } from '../checkup.ts';
import { Door } from '../door.ts';
import { createOperations } from '../operations.ts';
import { makeReport } from '../report.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { JoinedCluster } from './join-cluster.ts';
import type { PreparedHost } from './prepare-host.ts';
import { showNetwork } from './show-network.ts';
import type { StartedContainers } from './start-containers.ts';
import type { StartedDns } from './start-dns.ts';

interface Deps extends Pick<DaemonDeps, 'logger' | 'conditions' | 'signal' | 'stop'> {
  host: PreparedHost;
  joined: JoinedCluster;
  dns: StartedDns;
  containers: StartedContainers;
  checkup: Checkup;
}

/** Opens the control socket, the HTTP servers and the proxy, in this order. */
export async function startServers(deps: Deps, undo: UndoStack) {
  const { host, joined, dns, containers, logger, stop } = deps;
  const { config, peer, engine, bridge } = host;
  const { names } = dns;
  const { naming, exposer, metrics, attachments } = containers;
  const state = { ready: false, proxyAddresses: [] as readonly string[] };
  const report = () => makeReport(reportSources(deps, state));
  metrics.follow({
    report,
    attachments: () => attachments.list().length,
    names: () => names.size,
    droppedQueries: () => host.firewall.droppedQueries,
  });

  const door = new Door({ ...deps, seat: joined.seat, goAlone: joined.goAlone, undo });
  const operations = createOperations({
    reconciler: containers.reconciler,
    byHand: containers.byHand,
    attachments,
    exposer,
    system: containers.system,
    naming,
    lookup: new Lookup({ names, hosts: dns.hosts, domain: config.dnsDomain }),
    engine,
    config,
    report,
    doctor: () => deps.checkup.diagnose(),
    walk: (from, to) => deps.checkup.walk(from, to),
    stop,
    version,
    dnsIp: () => dns.server?.ip ?? null,
    seat: joined.seat,
    door,
    targets: host.targets,
    bridgeMac: bridge.address,
  });
  const httpParts: ApiDeps = {
    report,
    metrics,
    dnsDomain: config.dnsDomain,
    dnsIp: () => dns.server?.ip ?? null,
    addresses: joined.seat.allocator,
    containers: engine,
    names: naming,
    exposer,
  };
  const fallback = apiListener(httpParts, logger);
  const control = await ControlServer.listen(paths.control, operations, { logger, fallback });
  undo.push(() => control.close());
  const { page, changes } = showNetwork(deps, undo);
  await startHttp(deps, { ...httpParts, page }, undo);
  if (config.proxy) state.proxyAddresses = await startProxy(deps, undo);
  await door.open();
  return {
    changes,
    /** From here on, status and `ping` say so. */
    becomeReady: () => {
      state.ready = true;
      const { proxyAddresses: proxy } = state;
      const { mtu } = host;
      logger.info({ version, peer, bridge: bridgeName, mtu, proxy, dns: dns.server?.address }, 'ready');
    },
  };
}

function reportSources(
  { host, joined, dns, containers, conditions }: Deps,
  { ready, proxyAddresses }: { ready: boolean; proxyAddresses: readonly string[] },
) {
  const { allocator, membership, cluster } = joined.seat;
  return {
    version,
    ready,
    config: host.config,
    peer: host.peer,
    allocator,
    names: dns.names,
    parts: membership?.blocks?.owners() ?? null,
    targets: host.targets.list(),
    peers: cluster?.peers() ?? [],
    nicknames: cluster?.nicknames ?? new Map<string, string>(),
    states: containers.peerStates(),
    upstream: dns.server?.upstream.servers ?? [],
    dnsAddress: dns.server?.address ?? null,
    proxyAddresses,
    host: { exposed: containers.exposer.list(), names: containers.system.state },
    conditions: conditions.list(),
    healed: conditions.listHealed(),
  };
}

async function startHttp(
  { host, logger }: Deps,
  parts: ApiDeps & { page: PageDeps },
  undo: UndoStack,
): Promise<void> {
  const { httpAddress, statusAddress, allowInsecureTcp } = host.config;
  if (httpAddress !== null) {
    const api = await startApiServer({ address: httpAddress, allowInsecureTcp }, parts, logger);
    undo.push(() => api.close());
  }
  if (statusAddress !== null) {
    const status = await startStatusServer(statusAddress, parts, logger);
    undo.push(() => status.close());
  }
}

/** @returns where it listens */
async function startProxy(
  { host, dns, containers, logger }: Deps,
  undo: UndoStack,
): Promise<readonly string[]> {
  const { config, engine } = host;
  const { reconciler, attachments, naming, made, created, outcomes } = containers;
  const told = config.dnsForContainers ? dns.server : undefined;
  const handlers = createHandlers(config, {
    images: engine,
    containers: engine,
    created,
    outcomes,
    provision: {
      stateDir: paths.state,
      dnsDomain: config.dnsDomain,
      dnsServers: (networkMode) => told?.serversFor(networkMode) ?? [],
      isOurDns: (server) => told?.isOurs(server) ?? false,
      searchDomains: () => told?.upstream.search ?? [],
    },
    namings: {
      warnings: (called) => naming.warnings({ ...called, id: '', hostUts: false }),
      keepMade: (id, hostname) => made.keep(id, hostname),
    },
    attachments: reconciler,
    upcoming: reconciler.upcoming,
    execs: new ExecGate({ engine, attachments, reconciler }),
    inspected: reconciler,
    logger,
  });
  const proxy = await DockerProxy.start({ ...config, handlers, logger });
  undo.push(() => proxy.close());
  return proxy.addresses;
}
