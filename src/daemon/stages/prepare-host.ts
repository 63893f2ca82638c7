import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findCluster } from '../../cluster/find.ts';
import { resumeStore } from '../../cluster/members.ts';
import { peerName } from '../../cluster/peer.ts';
import { Targets } from '../../cluster/targets.ts';
import { installShims, releaseShims } from '../../containers/shims.ts';
import { EngineClient } from '../../docker/client.ts';
import { demand } from '../../doctor/check.ts';
import { encryption } from '../../doctor/checks/encryption.ts';
import { engine as engineCheck } from '../../doctor/checks/engine.ts';
import { range } from '../../doctor/checks/range.ts';
import { settings } from '../../doctor/checks/settings.ts';
import { tools } from '../../doctor/checks/tools.ts';
import { etcdFolder } from '../../etcd/files.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { paths } from '../../model/paths.ts';
import { ensureBridge } from '../../net/bridge.ts';
import { Firewall } from '../../net/firewall.ts';
import { readNetwork, underlayOf } from '../../net/host.ts';
import { IpBatch } from '../../net/ip.ts';
import { NetnsWorker } from '../../net/netns-worker.ts';
import { datapathMtu } from '../../net/overlay/vxlan.ts';
import { LmdbStore } from '../../store/lmdb.ts';
import { damageText, repairStore } from '../../store/repair.ts';
import { hostEnds } from '../host-ends.ts';
import { firewallState } from '../host-firewall.ts';
import type { DaemonDeps } from './daemon-deps.ts';

/** A host on which containers can be attached. */
export type PreparedHost = Awaited<ReturnType<typeof prepareHost>>;

/** Checks the host; opens its store; makes the bridge; reaches the engine. */
export async function prepareHost(
  deps: Pick<DaemonDeps, 'config' | 'conditions' | 'logger' | 'signal'>,
  undo: UndoStack,
) {
  const { conditions } = deps;
  await mkdir(paths.run, { recursive: true });
  await mkdir(paths.state, { recursive: true, mode: 0o755 });
  await demand(tools, undefined);
  await demand(settings, undefined);

  const state = join(paths.state, 'store');
  const fresh = !existsSync(join(state, 'data.mdb'));
  const damage = await repairStore(state);
  if (damage) conditions.set('STATE_DAMAGED', damageText(damage));
  const store = LmdbStore.open(state);
  undo.push(() => store.close());
  const peer = await peerName(store, deps.config.name);
  const network = await readNetwork();
  const underlay = underlayOf(network, deps.config.host ?? undefined);
  const targets = await Targets.of(deps.config, store);
  const { address } = underlay;
  const { nickname } = deps.config;
  const self = address === undefined ? undefined : { name: peer, nickname, address };
  const { config, way } = await findCluster({
    config: deps.config,
    resumed: await resumeStore(deps.config, store),
    local: store,
    folder: etcdFolder,
    self,
    targets: targets.list(),
    logger: deps.logger,
    signal: deps.signal,
  });
  await demand(encryption, { config });

  const engine = new EngineClient({ url: config.engine, tls: config.engineTls });
  undo.push(() => engine.close());
  await demand(engineCheck, { engine });
  // One that was asked for is only warned of.
  if (!config.ipallocRangeGiven) await demand(range, { config, network });
  const overlap = await range.run({ config, network });
  if (overlap.state === 'failed') conditions.set('RANGE_OVERLAPS', overlap.text);
  await installShims(paths.state);
  undo.push(async () => {
    if (!(await hostEnds())) await releaseShims(paths.state);
  });

  const ip = new IpBatch();
  undo.push(() => ip.close());
  const worker = new NetnsWorker();
  undo.push(() => worker.close());
  const encrypted = config.password !== null;
  const mtu = datapathMtu({ underlay: underlay.mtu, asked: config.mtu, kind: config.datapath, encrypted });
  const bridge = await ensureBridge(ip, { mtu, mac: peer });
  const rules = firewallState(config, network);
  const firewall = new Firewall(rules);
  const damaged = fresh || damage !== undefined;
  return {
    config,
    store,
    damaged,
    peer,
    targets,
    way,
    engine,
    ip,
    worker,
    network,
    underlay,
    mtu,
    bridge,
    rules,
    firewall,
  };
}
