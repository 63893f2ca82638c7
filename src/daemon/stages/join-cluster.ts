import { Targets } from '../../cluster/members.ts';
import { connectStore, makeDatapath, sealOf } from '../../cluster/overlay.ts';
import { keepPeerName } from '../../cluster/peer.ts';
import { agreeOnSettings, claimName } from '../../cluster/settings.ts';
import { Allocator, noRange } from '../../ipam/allocator.ts';
import { Blocks } from '../../ipam/blocks.ts';
import { wholeSpace } from '../../ipam/space.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { Cidr } from '../../model/address.ts';
import { paths } from '../../model/paths.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { PreparedHost } from './prepare-host.ts';

/** This host's part of the network's addresses and links; on a host that is alone, all of the addresses. */
export type JoinedCluster = Awaited<ReturnType<typeof joinCluster>>;

/** Agrees with the other hosts on what all share, and on who has which addresses. */
export async function joinCluster(
  { host, signal, logger }: Pick<DaemonDeps, 'signal' | 'logger'> & { host: PreparedHost },
  undo: UndoStack,
) {
  const { config, store, peer, underlay, mtu, firewall: guard } = host;
  const range = config.ipallocRange === null ? noRange : Cidr.parse(config.ipallocRange);
  const defaultSubnet =
    config.ipallocDefaultSubnet === null ? range : Cidr.parse(config.ipallocDefaultSubnet);
  const shared = await connectStore(config, logger);
  if (shared) undo.push(() => shared.close());
  const targets = await Targets.of(config, store, shared);
  const seal = await sealOf(config);
  if (shared) await agreeOnSettings(config, { shared, local: store, seal });
  if (shared) await claimName(peer, { shared, config, address: underlay.address ?? '' });
  await keepPeerName(store, peer);
  const blocks =
    shared && range !== noRange
      ? await Blocks.start({ shared, local: store, peer, range, signal, logger })
      : undefined;
  const space = blocks ?? wholeSpace;
  const allocator = await Allocator.load({ range, defaultSubnet, store, space, logger });
  blocks?.attach(allocator);
  const datapath = makeDatapath(config, { underlay, mtu, runDir: paths.run, guard, logger });
  await datapath?.start();
  undo.push(() => datapath?.stop());
  return { shared, targets, seal, blocks, allocator, datapath };
}
