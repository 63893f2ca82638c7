import { dropKept } from '../../cluster/managed.ts';
import { hostId } from '../../cluster/peer.ts';
import { etcdFolder } from '../../etcd/files.ts';
import { Allocator, noRange } from '../../ipam/allocator.ts';
import { wholeSpace } from '../../ipam/space.ts';
import { SwitchedSpace, soughtSpace } from '../../ipam/switched-space.ts';
import { hasCode } from '../../lib/errors.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { Cidr } from '../../model/address.ts';
import { Seat } from '../seat.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { PreparedHost } from './prepare-host.ts';

interface Deps extends Pick<DaemonDeps, 'signal' | 'conditions' | 'logger'> {
  host: PreparedHost;
}

/** This host's place among others, and its part of the network's addresses. */
export type JoinedCluster = Awaited<ReturnType<typeof joinCluster>>;

/** Agrees with the other hosts on what all share, and on who has which addresses; or all of them are this host's. */
export async function joinCluster(deps: Deps, undo: UndoStack) {
  const { host, logger } = deps;
  const { config, store, targets, way } = host;
  const range = config.ipallocRange === null ? noRange : Cidr.parse(config.ipallocRange);
  const defaultSubnet =
    config.ipallocDefaultSubnet === null ? range : Cidr.parse(config.ipallocDefaultSubnet);
  const space = new SwitchedSpace(way === 'sought' ? soughtSpace(() => targets.list()) : wholeSpace);
  const allocator = await Allocator.load({ range, defaultSubnet, store, space, logger });
  const seat = new Seat({ ...deps, id: await hostId(store), allocator, space, undo });
  await seat.begin();
  const first = way === 'joined';
  if (config.store !== 'lmdb') {
    await seat.enter(config, { first }).catch(async (error: unknown) => {
      // What others' addresses forbid now, a later launch must not take for done.
      if (first && hasCode(error, 'CLUSTER_MISMATCH')) await dropKept(etcdFolder);
      throw error;
    });
  }
  return { seat, goAlone: () => space.use(wholeSpace) };
}
