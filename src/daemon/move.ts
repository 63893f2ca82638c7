import { accessOf, asKept, dropKept, isManaged, keepNetwork, type Self } from '../cluster/managed.ts';
import { movedKey } from '../cluster/members.ts';
import { moveCluster, refuseOthers, reopen } from '../cluster/moved.ts';
import { connectStore } from '../cluster/overlay.ts';
import type { LaunchConfig } from '../config/config.ts';
import { writeClusterFile } from '../etcd/cluster-file.ts';
import { beginCluster } from '../etcd/create.ts';
import { etcdFolder } from '../etcd/files.ts';
import { WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { UndoStack } from '../lib/undo.ts';
import type { Ip } from '../model/address.ts';
import { membersOf } from '../model/members.ts';
import { addressesBeside } from '../net/host.ts';
import type { EtcdStore } from '../store/etcd/etcd.ts';
import type { Membership, Seat } from './seat.ts';
import type { PreparedHost } from './stages/prepare-host.ts';

/** What moving a cluster takes. */
export interface MoveDeps {
  host: PreparedHost;
  seat: Seat;
  self: Self;
  signal: AbortSignal;
  logger: Logger;
}

type Access = Pick<LaunchConfig, 'store' | 'etcd'>;

/**
 * Moves this host's cluster from an etcd of the users' own to one that weavets runs, here at first. Other hosts must not
 * run; they join it when they are launched again. A move that was broken off has not happened.
 * @param from as `--store` names it @throws WeaveError USAGE, CLUSTER_MISMATCH, ETCD_FAILED, STORE_UNAVAILABLE
 */
export async function moveToManaged(deps: MoveDeps, from: string): Promise<void> {
  const { host, seat, self, signal } = deps;
  const { membership } = seat;
  if (membership === undefined || isManaged(etcdFolder, membership.config) || !uses(membership, from)) {
    throw new WeaveError(
      'USAGE',
      `this host's cluster is not at ${from}; launch it with --store ${from} first`,
    );
  }
  await refuseOthers(membership.shared, self.name);
  const before = accessTo(membership);
  const drop = () => dropKept(etcdFolder);
  await drop();
  const addresses = addressesBeside(host.network, self.address);
  try {
    await keepNetwork(etcdFolder, membership.config, before.store);
    const file = await beginCluster({ folder: etcdFolder, ...self, addresses }, signal);
    await seat.move(async (undo) => {
      await carry(deps, { from: before, to: accessOf(etcdFolder, file), named: null, undo });
      // Undone first: a host that finds this file is part of that cluster.
      undo.push(drop);
      await writeClusterFile(etcdFolder, file);
      return (await asKept(etcdFolder, host.config)) as LaunchConfig;
    });
  } catch (error) {
    await drop();
    throw error;
  }
  await host.store.commit([{ key: movedKey, value: null }]);
}

/**
 * The other way. The other hosts move when they are launched with that store.
 * @throws WeaveError USAGE, CLUSTER_MISMATCH, STORE_UNAVAILABLE
 */
export async function moveToOwn(deps: MoveDeps, to: Access): Promise<void> {
  const { host, seat, self } = deps;
  const { membership } = seat;
  if (membership === undefined || !isManaged(etcdFolder, membership.config)) {
    throw new WeaveError('USAGE', 'this host is in no cluster whose etcd weavets runs');
  }
  await refuseOthers(membership.shared, self.name);
  await seat.move(async (undo) => {
    await carry(deps, { from: accessTo(membership), to, named: to.store, undo });
    return { ...membership.config, ...to };
  });
  await host.store.commit([{ key: movedKey, value: to.store }]);
  await host.firewall.set({ members: null, joinOpen: false });
  await dropKept(etcdFolder);
}

async function carry(
  { seat, self, logger }: MoveDeps,
  { from, to, named, undo }: { from: Access; to: Access; named: string | null; undo: UndoStack },
): Promise<void> {
  const using = async (access: Access, task: (store: EtcdStore) => Promise<void>) => {
    const store = (await connectStore(access, logger)) as EtcdStore;
    await task(store).finally(() => store.close());
  };
  const me = { name: self.name, id: seat.id, address: self.address as Ip };
  await using(from, (source) => using(to, (target) => moveCluster({ source, target, self: me, to: named })));
  undo.push(() => using(from, (source) => reopen(source, seat.id)));
}

/** With the members that it goes to now. */
const accessTo = ({ config, members }: Membership): Access => ({ store: members.store, etcd: config.etcd });

const uses = ({ members }: Membership, store: string) =>
  membersOf(store).some((member) => members.list().includes(member));
