import { Cluster } from '../../cluster/registration.ts';
import { adoptRunning } from '../../containers/adopt.ts';
import { Attachments } from '../../containers/attachments.ts';
import { ByHand } from '../../containers/by-hand.ts';
import { CreatedStore } from '../../containers/created.ts';
import { Exposer, exposeOwner } from '../../containers/exposer.ts';
import { History } from '../../containers/history.ts';
import { HostsFiles } from '../../containers/hosts-files.ts';
import { restoreLinks } from '../../containers/lost-links.ts';
import { MadeHostnames } from '../../containers/made-hostnames.ts';
import { Naming } from '../../containers/naming.ts';
import { Overrides } from '../../containers/overrides.ts';
import { OwnLinks } from '../../containers/own-links.ts';
import { OwnNames } from '../../containers/own-names.ts';
import { PathMtu } from '../../containers/path-mtu.ts';
import { Reconciler } from '../../containers/reconciler.ts';
import { ShimOutcomes } from '../../containers/shim-outcome.ts';
import { StartWatch } from '../../containers/start-watch.ts';
import { SystemNames } from '../../dns/system/system-names.ts';
import { messageOf } from '../../lib/errors.ts';
import { KeyedLock } from '../../lib/lock.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { version } from '../../lib/version.ts';
import type { Ip } from '../../model/address.ts';
import { paths } from '../../model/paths.ts';
import { shimRoot } from '../../model/shim.ts';
import { bridgeName } from '../../net/bridge.ts';
import type { Datapath } from '../../net/overlay/datapath.ts';
import { Veths } from '../../net/veth.ts';
import { Metrics } from '../metrics.ts';
import type { Membership } from '../seat.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { JoinedCluster } from './join-cluster.ts';
import type { PreparedHost } from './prepare-host.ts';
import type { StartedDns } from './start-dns.ts';

/** Attaches containers, and publishes them to the other hosts. */
export type StartedContainers = Awaited<ReturnType<typeof startContainers>>;

interface Deps extends Pick<DaemonDeps, 'signal' | 'conditions' | 'logger'> {
  host: PreparedHost;
  joined: JoinedCluster;
  dns: StartedDns;
}

interface Announced {
  membership: Membership;
  datapath: Datapath;
  attachments: Attachments;
  exposer: Exposer;
}

/** Makes what attaches containers, and speaks of them to the other hosts; restores what the host itself has. */
export async function startContainers(deps: Deps, undo: UndoStack) {
  const { host, joined, dns, conditions, logger } = deps;
  const { config, store, peer, engine, ip, worker, mtu, firewall } = host;
  const { seat } = joined;
  const { allocator } = seat;
  const { names } = dns;

  const changed = (id: string) => seat.changed(id);
  const pidOf = async (id: string) => (await engine.inspect(id))?.pid ?? 0;
  const made = await MadeHostnames.load(store, logger);
  const naming = await Naming.load({
    names,
    store,
    domain: config.dnsDomain,
    origin: peer,
    changed,
    pidOf,
    own: new OwnNames(config, made),
    logger,
  });
  const overrides = await Overrides.load(store, logger);
  const { damaged } = host;
  await adoptRunning({ engine, allocator, overrides, store, policy: config, damaged, logger });
  const system = new SystemNames(
    { link: bridgeName, domain: config.dnsDomain, self: peer },
    { names, server: () => dns.server?.ofHost ?? null, conditions, logger },
  );
  undo.push(() => system.close());
  const exposer = new Exposer({ allocator, store, firewall, ip, naming, system, changed });
  await exposer.restore(logger);
  const { expose, hostsFile } = config;
  if (expose) await exposer.expose([], { fqdn: null, masquerade: true, hostsFile });

  const metrics = new Metrics();
  const history = new History();
  let pathMtu: PathMtu | undefined;
  const followPaths = () => {
    pathMtu?.apply().catch((error: unknown) => {
      logger.warn(
        { reason: messageOf(error) },
        'cannot set the MTU of a path in a container; it is tried again',
      );
    });
  };
  const onAttached = (seconds: number) => {
    metrics.attached(seconds);
    followPaths();
  };
  const veths = new Veths({ ip, worker, mtu });
  const attachments = new Attachments({
    veths,
    naming,
    hosts: await HostsFiles.load(store, logger),
    conditions,
    history,
    engineRoot: () => engine.rootFolder(),
    isOurDns: (address) => dns.server?.isOurs(address) ?? false,
    routeToDns: (servers) => dns.server?.routeFor(servers),
    domain: config.dnsDomain,
    onAttached,
    logger,
  });
  dns.askers.follow({ attachments, isOurs: (address) => dns.server?.isOurs(address) ?? false });
  const created = new CreatedStore(store, logger);
  const lock = new KeyedLock();
  const byHand = new ByHand({ engine, allocator, attachments, overrides, lock });
  const reconciler = new Reconciler({
    engine,
    allocator,
    attachments,
    overrides,
    made,
    naming,
    created,
    startWatch: new StartWatch(),
    history,
    lock,
    options: { ...config, shimRoot: shimRoot(paths.state) },
    logger,
  });
  undo.push(() => attachments.handOver());
  undo.push(() => reconciler.close());

  const restore = () => restoreLinks({ attachments, veths, lock });
  /** By which the links are named that are not just being made or changed. */
  const linkPids = () => attachments.list().flatMap(({ info }) => (lock.isBusy(info.id) ? [] : info.pid));
  const outcomes = new ShimOutcomes({ attachments, engine, created, logger });

  dns.hosts.follow({
    nicknames: () => [...(seat.cluster?.nicknames ?? []), [peer, config.nickname]],
    addresses: (name) =>
      name === peer
        ? exposer.list().map(({ address }) => address)
        : (seat.cluster?.addresses(name, exposeOwner) ?? []),
  });
  // Last: it reads what the others here know.
  seat.announceBy((membership, datapath) => {
    pathMtu = new PathMtu({ attachments, exposed: () => exposer.list(), paths: datapath });
    datapath.onPathsChanged = followPaths;
    return announce(deps, { membership, datapath, attachments, exposer });
  });
  if (exposer.list().length > 0) changed(exposeOwner);
  for (const { containerId } of names.list({ origin: peer })) changed(containerId);
  /** Of the other hosts whose daemons run. */
  const peerStates = () =>
    seat.datapath?.state().filter(({ peer }) => seat.cluster?.isAlive(peer.name)) ?? [];
  const parts = { naming, made, created, outcomes, exposer, metrics, attachments, reconciler, byHand };
  const applyPathMtu = async () => pathMtu?.apply();
  return { ...parts, system, history, applyPathMtu, peerStates, linkPids, restoreLinks: restore };
}

/** Registers this host with the others, and follows them. */
function announce(
  { host, joined, dns, logger }: Deps,
  { membership, datapath, attachments, exposer }: Announced,
): Cluster {
  const { config, peer, bridge, underlay } = host;
  const { shared, seal, blocks, claim, signal } = membership;
  const { names } = dns;
  const own = new OwnLinks({ attachments, exposer, names, self: peer, bridgeMac: bridge.address });
  return Cluster.join({
    shared,
    datapath,
    names,
    seal,
    claim,
    blocks,
    // Who has no address of its own is in no cluster.
    self: { name: peer, id: joined.seat.id, nickname: config.nickname, address: underlay.address as Ip },
    version,
    linkOf: (container) => own.linkOf(container),
    owners: () => own.owners(),
    signal,
    logger,
  });
}
