import { NameClaim } from '../../cluster/claim.ts';
import { keepAccess } from '../../cluster/leave.ts';
import { Targets } from '../../cluster/members.ts';
import { connectStore, makeDatapath } from '../../cluster/overlay.ts';
import { hostId, keepPeerName } from '../../cluster/peer.ts';
import { agreeOnSettings } from '../../cluster/settings.ts';
import { Allocator, noRange } from '../../ipam/allocator.ts';
import { Blocks } from '../../ipam/blocks.ts';
import { wholeSpace } from '../../ipam/space.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { Cidr } from '../../model/address.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { PreparedHost } from './prepare-host.ts';

/** This host's part of the network's addresses and links; on a host that is alone, all of the addresses. */
export type JoinedCluster = Awaited<ReturnType<typeof joinCluster>>;

/** Agrees with the other hosts on what all share, and on who has which addresses. */
export async function joinCluster(
  {
    host,
    signal,
    conditions,
    logger,
  }: Pick<DaemonDeps, 'signal' | 'conditions' | 'logger'> & { host: PreparedHost },
  undo: UndoStack,
) {
  const { config, store, peer, underlay, mtu, firewall: guard } = host;
  const range = config.ipallocRange === null ? noRange : Cidr.parse(config.ipallocRange);
  const defaultSubnet =
    config.ipallocDefaultSubnet === null ? range : Cidr.parse(config.ipallocDefaultSubnet);
  const shared = await connectStore(config, logger);
  if (shared) undo.push(() => shared.close());
  const targets = await Targets.of(config, store, shared);
  await keepAccess(store, config);
  const id = await hostId(store);
  let blocks: Blocks | undefined;
  const changed = (lost: string | undefined) => {
    blocks?.suspend(lost);
    conditions.update('NAME_TAKEN', lost && `${lost}; no more addresses are allocated here`);
  };
  const { address } = underlay;
  const claim =
    shared && address !== undefined
      ? await NameClaim.take({ shared, name: peer, id, address, changed, signal, logger })
      : undefined;
  // After the claim: a last host that leaves sees that there is another.
  const seal = shared ? await agreeOnSettings(config, { shared, local: store }) : null;
  await keepPeerName(store, peer);
  blocks =
    shared && range !== noRange
      ? await Blocks.start({ shared, local: store, peer, range, signal, logger })
      : undefined;
  const space = blocks ?? wholeSpace;
  const allocator = await Allocator.load({ range, defaultSubnet, store, space, logger });
  blocks?.attach(allocator);
  const datapath = makeDatapath(config, { id, underlay, mtu, guard, logger });
  await datapath?.start();
  undo.push(() => datapath?.stop());
  return { shared, targets, id, claim, seal, blocks, allocator, datapath };
}
