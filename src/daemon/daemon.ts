import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resumeStore, Targets } from '../cluster/members.ts';
import { connectStore, makeDatapath, sealOf } from '../cluster/overlay.ts';
import { keepPeerName, peerName } from '../cluster/peer.ts';
import { Cluster } from '../cluster/registration.ts';
import { agreeOnSettings, claimName } from '../cluster/settings.ts';
import type { LaunchConfig } from '../config/config.ts';
import { Attachments } from '../containers/attachments.ts';
import { CreatedStore } from '../containers/created.ts';
import { ExecGate } from '../containers/exec-gate.ts';
import { Exposer, exposeOwner } from '../containers/exposer.ts';
import { MadeHostnames } from '../containers/made-hostnames.ts';
import { Naming } from '../containers/naming.ts';
import { Overrides } from '../containers/overrides.ts';
import { OwnNames } from '../containers/own-names.ts';
import { Reconciler } from '../containers/reconciler.ts';
import { installShims } from '../containers/shims.ts';
import { StartWatch } from '../containers/start-watch.ts';
import { ControlServer } from '../control/server.ts';
import { NameTable } from '../dns/names.ts';
import { DnsServer } from '../dns/server.ts';
import { Upstream } from '../dns/upstream.ts';
import { EngineClient } from '../docker/client.ts';
import { followEvents } from '../docker/events.ts';
import { checkRange, checkTools, dockerBridgeAddress, openSysctls } from '../doctor/preflight.ts';
import { splitAddress } from '../http/listen.ts';
import { apiListener, startApiServer } from '../http/routes/weave.ts';
import { startStatusServer } from '../http/status-server.ts';
import { Allocator } from '../ipam/allocator.ts';
import { Blocks } from '../ipam/blocks.ts';
import { wholeSpace } from '../ipam/space.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { UndoStack } from '../lib/undo.ts';
import { Cidr } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { paths } from '../model/paths.ts';
import { shimRoot } from '../model/shim.ts';
import { bridgeName, ensureBridge } from '../net/bridge.ts';
import { Firewall } from '../net/firewall.ts';
import { findUnderlay } from '../net/host.ts';
import { IpBatch } from '../net/ip.ts';
import { datapathMtu } from '../net/overlay/vxlan.ts';
import { guardRules } from '../net/overlay/wireguard.ts';
import type { Namings } from '../proxy/calls/create.ts';
import { createHandlers } from '../proxy/calls/handlers.ts';
import { DockerProxy } from '../proxy/proxy.ts';
import { LmdbStore } from '../store/lmdb.ts';
import { maintain } from './maintenance.ts';
import { Metrics } from './metrics.ts';
import { createOperations } from './operations.ts';
import { makeReport } from './report.ts';

/** Ports of the heartbeat, VXLAN, WireGuard and etcd: not for containers. */
const closedPorts = [6783, 6784, 6785, 2379, 2380];

/** weavets' version, of package.json. */
export const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/**
 * Builds the daemon part by part, and runs it until `signal`; each part's end stands beside its beginning, and all
 * are undone in reverse. Containers keep running, and keep their network, when it ends.
 * @param onReady called once everything serves, and what runs already is attached
 */
export async function runParts(
  given: LaunchConfig,
  {
    logger,
    conditions,
    signal,
    stop,
    onReady,
  }: {
    logger: Logger;
    conditions: Conditions;
    signal: AbortSignal;
    stop: () => void;
    onReady: () => void;
  },
): Promise<void> {
  const undo = new UndoStack();
  try {
    await mkdir(paths.run, { recursive: true });
    await mkdir(paths.state, { recursive: true, mode: 0o755 });
    await checkTools();
    await openSysctls();

    const store = LmdbStore.open(join(paths.state, 'store'));
    undo.push(() => store.close());
    const config = await resumeStore(given, store);
    const peer = await peerName(store, config.name);

    const engine = new EngineClient({ url: config.engine, tls: config.engineTls });
    undo.push(() => engine.close());
    await engine.version();
    await checkRange(config, logger);
    await installShims(paths.state);

    const ip = new IpBatch();
    undo.push(() => ip.close());
    const underlay = await findUnderlay(config.host ?? undefined);
    const encrypted = config.password !== null;
    const mtu = datapathMtu({ underlay: underlay.mtu, asked: config.mtu, kind: config.datapath, encrypted });
    const bridge = await ensureBridge(ip, { mtu, mac: peer });
    const { dockerBridge } = config;
    const ownPorts = [config.statusAddress, config.httpAddress].flatMap((address) =>
      address === null ? [] : splitAddress(address).port,
    );
    const firewall = new Firewall({
      ...{ dockerBridge, dns: config.dns },
      closedPorts: [...new Set([...ownPorts, ...closedPorts])],
      input: encrypted ? guardRules(config.trustedSubnets.map((subnet) => Cidr.parse(subnet))) : [],
    });

    const range = Cidr.parse(config.ipallocRange);
    const defaultSubnet =
      config.ipallocDefaultSubnet === null ? range : Cidr.parse(config.ipallocDefaultSubnet);
    const shared = await connectStore(config, logger);
    if (shared) undo.push(() => shared.close());
    const targets = await Targets.of(config, store, shared);
    const seal = await sealOf(config);
    if (shared) await agreeOnSettings(config, { shared, local: store, seal });
    if (shared) await claimName(peer, { shared, config, address: underlay.address ?? '' });
    await keepPeerName(store, peer);
    const blocks = shared && (await Blocks.start({ shared, local: store, peer, range, signal, logger }));
    const allocator = await Allocator.load({
      ...{ range, defaultSubnet, store, space: blocks ?? wholeSpace, logger },
    });
    blocks?.attach(allocator);
    const datapath = makeDatapath(config, { underlay, mtu, runDir: paths.run, logger });
    await datapath?.start();
    undo.push(() => datapath?.stop());

    const names = new NameTable();
    let cluster: Cluster | undefined;
    const changed = (id: string) => cluster?.changed(id);
    const pidOf = async (id: string) => (await engine.inspect(id))?.pid ?? 0;
    const made = await MadeHostnames.load(store, logger);
    const own = new OwnNames(config, made);
    const naming = await Naming.load({
      ...{ names, store, domain: config.dnsDomain, origin: peer, changed, pidOf, own, logger },
    });
    const dns = await startDns();
    const dnsIp = dns?.address.split(':')[0] ?? null;

    const exposer = new Exposer({ allocator, store, firewall, ip, naming, changed });
    await exposer.restore(logger);

    const metrics: Metrics = new Metrics({
      ...{ version, report: () => report() },
      ...{ attachments: () => attachments.list().length, names: () => names.size },
    });
    const onAttached = (seconds: number) => metrics.attached(seconds);
    const attachments = new Attachments({ ip, naming, mtu, onAttached, logger });
    const created = new CreatedStore(store, logger);
    const reconciler = new Reconciler({
      engine,
      allocator,
      attachments,
      overrides: await Overrides.load(store, logger),
      made,
      naming,
      created,
      startWatch: new StartWatch(),
      options: { ...config, shimRoot: shimRoot(paths.state) },
      logger,
    });

    if (shared && datapath && underlay.address !== undefined) {
      const linkOf = (id: string) => {
        const attachment = attachments.get(id);
        const exposed = id === exposeOwner ? exposer.list() : [];
        const ips = [...(attachment?.cidrs ?? []), ...exposed].map(({ address }) => address);
        const mac = attachment?.mac ?? (exposed.length > 0 ? bridge.address : null);
        const own = names
          .list({ containerId: id, origin: peer })
          .map(({ hostname, address }) => ({ hostname, address }));
        return mac === null && own.length === 0 ? undefined : { mac, ips, names: own };
      };
      const self = { name: peer, nickname: config.nickname, address: underlay.address };
      cluster = Cluster.join({ shared, datapath, names, seal, self, version, linkOf, signal, logger });
      if (exposer.list().length > 0) changed(exposeOwner);
      for (const { containerId } of names.list({ origin: peer })) changed(containerId);
    }

    let ready = false;
    let proxy: DockerProxy | undefined;
    const report = () =>
      makeReport({
        ...{ version, ready, config, peer, allocator, names },
        parts: blocks?.owners() ?? null,
        targets: targets.list(),
        peers: cluster?.peers() ?? [],
        nicknames: cluster?.nicknames ?? new Map(),
        states: datapath?.state() ?? [],
        upstream: dns?.upstream.servers ?? [],
        dnsAddress: dns?.address ?? null,
        proxyAddresses: proxy?.addresses ?? [],
        conditions: conditions.list(),
      });
    const operations = createOperations({
      ...{ reconciler, attachments, exposer, naming, names, engine, config, report, stop, version, dnsIp },
      ...{ blocks, cluster, targets },
      bridgeMac: bridge.address,
    });
    const httpParts = {
      ...{ report, metrics, dnsDomain: config.dnsDomain, dnsIp },
      ...{ addresses: allocator, containers: engine, names: naming, exposer },
    };
    const control = await ControlServer.listen(paths.control, operations, {
      ...{ logger, fallback: apiListener(httpParts, logger) },
    });
    undo.push(() => control.close());
    await startHttp();

    if (config.proxy) proxy = await startProxy();

    maintain({
      tasks: {
        firewall: async () => {
          if (await firewall.ensure()) logger.warn('firewall rules of ours had gone; they are back');
        },
        attachments: () => attachments.sweep(),
        datapath: async () => {
          await datapath?.mend();
        },
      },
      conditions,
      signal,
    });

    const follower = {
      connected: async () => {
        await reconciler.reconcileAll();
        if (ready) return;
        ready = true;
        logger.info(
          { version, peer, bridge: bridgeName, mtu, proxy: proxy?.addresses, dns: dns?.address },
          'ready',
        );
        onReady();
      },
      event: ({ id }: { id: string }) => reconciler.noticed(id),
    };
    await followEvents(engine, follower, { signal, conditions });

    async function startDns() {
      if (!config.dns) return undefined;
      const [address = '', port = '53'] = (
        config.dnsListenAddress ?? (await dockerBridgeAddress(dockerBridge))
      ).split(':');
      const upstream = new Upstream({ own: [`${address}:${port}`], logger });
      undo.push(() => upstream.close());
      const { dnsDomain: domain, dnsTtl: ttl } = config;
      const server = await DnsServer.listen({
        ...{ addresses: [address], port: Number(port), domain, ttl, names, upstream, logger },
      });
      undo.push(() => server.close());
      return { address: server.address, upstream };
    }

    async function startHttp() {
      const { httpAddress, statusAddress, allowInsecureTcp } = config;
      if (httpAddress !== null) {
        const api = await startApiServer({ address: httpAddress, allowInsecureTcp }, httpParts, logger);
        undo.push(() => api.close());
      }
      if (statusAddress !== null) {
        const status = await startStatusServer(statusAddress, { report, metrics }, logger);
        undo.push(() => status.close());
      }
    }

    async function startProxy() {
      const dnsAddress = config.dnsForContainers ? dnsIp : null;
      const searchDomains = () => dns?.upstream.search ?? [];
      const provision = { stateDir: paths.state, dnsDomain: config.dnsDomain, dnsAddress, searchDomains };
      const namings: Namings = {
        warnings: (called) => naming.warnings({ ...called, id: '', hostUts: false }),
        keepMade: (id, hostname) => made.keep(id, hostname),
      };
      const handlers = createHandlers(config, {
        ...{ images: engine, containers: engine, created, provision, namings, logger },
        attachments: reconciler,
        execs: new ExecGate({ engine, attachments, reconciler }),
        inspected: reconciler,
      });
      const started = await DockerProxy.start({ ...config, handlers, logger });
      undo.push(() => started.close());
      return started;
    }
  } finally {
    for (const error of await undo.rollback())
      logger.error({ reason: messageOf(error) }, 'cannot close a part');
  }
}
