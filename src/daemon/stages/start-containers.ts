import { Cluster } from '../../cluster/registration.ts';
import { adoptRunning } from '../../containers/adopt.ts';
import { Attachments } from '../../containers/attachments.ts';
import { ByHand } from '../../containers/by-hand.ts';
import { CreatedStore } from '../../containers/created.ts';
import { Exposer, exposeOwner } from '../../containers/exposer.ts';
import { History } from '../../containers/history.ts';
import { HostsFiles } from '../../containers/hosts-files.ts';
import { MadeHostnames } from '../../containers/made-hostnames.ts';
import { Naming } from '../../containers/naming.ts';
import { Overrides } from '../../containers/overrides.ts';
import { OwnLinks } from '../../containers/own-links.ts';
import { OwnNames } from '../../containers/own-names.ts';
import { PathMtu } from '../../containers/path-mtu.ts';
import { Reconciler } from '../../containers/reconciler.ts';
import { ShimOutcomes } from '../../containers/shim-outcome.ts';
import { StartWatch } from '../../containers/start-watch.ts';
import { messageOf } from '../../lib/errors.ts';
import { KeyedLock } from '../../lib/lock.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { version } from '../../lib/version.ts';
import { paths } from '../../model/paths.ts';
import { shimRoot } from '../../model/shim.ts';
import { Veths } from '../../net/veth.ts';
import { Metrics } from '../metrics.ts';
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

/** Makes what attaches containers, and speaks of them to the other hosts; restores what the host itself has. */
export async function startContainers(deps: Deps, undo: UndoStack) {
  const { host, joined, dns, conditions, logger } = deps;
  const { config, store, peer, engine, ip, mtu, firewall } = host;
  const { allocator } = joined;
  const { names } = dns;

  // The cluster is joined last: it reads what the others here know.
  let cluster: Cluster | undefined;
  const changed = (id: string) => cluster?.changed(id);
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
  const exposer = new Exposer({ allocator, store, firewall, ip, naming, changed });
  await exposer.restore(logger);

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
  const attachments = new Attachments({
    veths: new Veths({ ip, mtu }),
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
  if (joined.datapath) {
    pathMtu = new PathMtu({ attachments, exposed: () => exposer.list(), paths: joined.datapath });
    joined.datapath.onPathsChanged = followPaths;
  }
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

  const outcomes = new ShimOutcomes({ attachments, engine, created, logger });

  cluster = announce(deps, { attachments, exposer });
  if (exposer.list().length > 0) changed(exposeOwner);
  for (const { containerId } of names.list({ origin: peer })) changed(containerId);
  /** Of the other hosts whose daemons run. */
  const peerStates = () => joined.datapath?.state().filter(({ peer }) => cluster?.isAlive(peer.name)) ?? [];
  const parts = { naming, made, created, outcomes, exposer, metrics, attachments, reconciler, byHand };
  return { ...parts, cluster, history, pathMtu, peerStates };
}

/** Registers this host with the others, and follows them; undefined: it is alone. */
function announce(
  { host, joined, dns, signal, logger }: Deps,
  { attachments, exposer }: { attachments: Attachments; exposer: Exposer },
): Cluster | undefined {
  const { config, peer, bridge, underlay } = host;
  const { shared, datapath, seal, blocks, claim, id } = joined;
  const { names } = dns;
  if (!shared || !datapath || !claim || underlay.address === undefined) return undefined;
  const own = new OwnLinks({ attachments, exposer, names, self: peer, bridgeMac: bridge.address });
  return Cluster.join({
    shared,
    datapath,
    names,
    seal,
    claim,
    blocks,
    self: { name: peer, id, nickname: config.nickname, address: underlay.address },
    version,
    linkOf: (container) => own.linkOf(container),
    owners: () => own.owners(),
    signal,
    logger,
  });
}
