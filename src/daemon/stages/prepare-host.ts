import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resumeStore } from '../../cluster/members.ts';
import { peerName } from '../../cluster/peer.ts';
import type { LaunchConfig } from '../../config/config.ts';
import { installShims, releaseShims } from '../../containers/shims.ts';
import { EngineClient } from '../../docker/client.ts';
import { checkRange, checkTools, openSysctls } from '../../doctor/preflight.ts';
import { splitAddress } from '../../http/listen.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { Cidr } from '../../model/address.ts';
import { paths } from '../../model/paths.ts';
import { ensureBridge } from '../../net/bridge.ts';
import { Firewall } from '../../net/firewall.ts';
import { findUnderlay } from '../../net/host.ts';
import { IpBatch } from '../../net/ip.ts';
import { datapathMtu } from '../../net/overlay/vxlan.ts';
import { guardRules } from '../../net/overlay/wireguard.ts';
import { LmdbStore } from '../../store/lmdb.ts';
import { hostEnds } from '../host-ends.ts';
import type { DaemonDeps } from './daemon-deps.ts';

/** Ports of the heartbeat, VXLAN, WireGuard and etcd: not for containers. */
const closedPorts = [6783, 6784, 6785, 2379, 2380];

/** A host on which containers can be attached. */
export type PreparedHost = Awaited<ReturnType<typeof prepareHost>>;

/** Checks the host; opens its store; makes the bridge; reaches the engine. */
export async function prepareHost(deps: Pick<DaemonDeps, 'config' | 'logger'>, undo: UndoStack) {
  const { logger } = deps;
  await mkdir(paths.run, { recursive: true });
  await mkdir(paths.state, { recursive: true, mode: 0o755 });
  await checkTools();
  await openSysctls();

  const store = LmdbStore.open(join(paths.state, 'store'));
  undo.push(() => store.close());
  const config = await resumeStore(deps.config, store);
  const peer = await peerName(store, config.name);

  const engine = new EngineClient({ url: config.engine, tls: config.engineTls });
  undo.push(() => engine.close());
  await engine.version();
  await checkRange(config, logger);
  await installShims(paths.state);
  undo.push(async () => {
    if (!(await hostEnds())) await releaseShims(paths.state);
  });

  const ip = new IpBatch();
  undo.push(() => ip.close());
  const underlay = await findUnderlay(config.host ?? undefined);
  const encrypted = config.password !== null;
  const mtu = datapathMtu({ underlay: underlay.mtu, asked: config.mtu, kind: config.datapath, encrypted });
  const bridge = await ensureBridge(ip, { mtu, mac: peer });
  return { config, store, peer, engine, ip, underlay, mtu, bridge, firewall: makeFirewall(config) };
}

function makeFirewall(config: LaunchConfig): Firewall {
  const ownPorts = [config.statusAddress, config.httpAddress].flatMap((address) =>
    address === null ? [] : splitAddress(address).port,
  );
  const trusted = config.trustedSubnets.map((subnet) => Cidr.parse(subnet));
  return new Firewall({
    dockerBridge: config.dockerBridge,
    dns: config.dns,
    closedPorts: [...new Set([...ownPorts, ...closedPorts])],
    input: config.password === null ? [] : guardRules(trusted),
  });
}
