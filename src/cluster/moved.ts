import { WeaveError } from '../lib/errors.ts';
import type { Ip } from '../model/address.ts';
import { aliveRecord, type Holder } from '../store/records/alive.ts';
import { blockRecord } from '../store/records/block.ts';
import { eraRecord, turnRecord } from '../store/records/era.ts';
import { hostRecord } from '../store/records/host.ts';
import { linkRecord } from '../store/records/link.ts';
import { movedRecord, settingsRecord } from '../store/records/settings.ts';
import { asRead, type Entry, type Store, type Write } from '../store/store.ts';
import { findSettings, settingsKey } from './settings.ts';

/** In place of the run of a host's daemon: the cluster has moved away, and nobody has the name in this store. */
export const parkedRun = 'moved';

/** Writes of one commit; etcd takes no more. */
const most = 128;
/** What goes along. Tokens, members of etcd, and which daemons run belong to the store. */
const kinds = [hostRecord, linkRecord, blockRecord, turnRecord, eraRecord];

/** Who moves a cluster, and where. */
export interface Move {
  source: Store;
  target: Store;
  /** this host; its daemon has no place in either store meanwhile */
  self: { name: string; id: string; address: Ip };
  /** as the hosts are to name the target; null: an etcd that weavets runs */
  to: string | null;
}

/**
 * Copies a cluster into another store, then closes the one that it was in, provided that nothing there has changed
 * meanwhile. A host that has not heard of it, being cut off, has lost its name there: it allocates no more addresses,
 * and says where the cluster is. {@link reopen} takes the closing back.
 * @throws WeaveError CLUSTER_MISMATCH: other hosts run, or the target has another cluster
 */
export async function moveCluster(move: Move): Promise<void> {
  const { source, target, self } = move;
  await refuseOthers(source, self.name);
  const settings = await source.get(settingsKey);
  const entries = (await Promise.all(kinds.map(({ prefix }) => source.list(prefix)))).flat();
  if (settings === undefined) throw new WeaveError('CLUSTER_MISMATCH', 'there is no cluster in this etcd');
  await clear(target, settings);
  const copies = entries.map(({ key, value }) => ({ key, value }));
  // Last: with its settings it is complete.
  await commitAll(target, [...copies, { key: settingsKey, value: settings.value }]);
  try {
    await close(move, { settings, entries });
  } catch (error) {
    await reopen(source, self.id);
    throw error;
  }
}

/** @throws WeaveError CLUSTER_MISMATCH, with what to do, while daemons of other hosts run */
export async function refuseOthers(store: Store, self: string): Promise<void> {
  const running = (await store.list(aliveRecord.prefix)).flatMap((entry) => {
    const alive = aliveRecord.parse(entry);
    return typeof alive === 'object' && alive.key !== self ? alive.value.address : [];
  });
  if (running.length === 0) return;
  throw new WeaveError(
    'CLUSTER_MISMATCH',
    `weavets runs on other hosts of this cluster: ${running.join(', ')}; 'weavets stop' there first (containers keep running), and launch it again after the move`,
  );
}

/** Lets hosts in again where this one closed a store. */
export async function reopen(store: Store, id: string): Promise<void> {
  const parked = (await store.list(aliveRecord.prefix)).filter(isParked);
  await commitAll(
    store,
    parked.map((entry) => ({ key: entry.key, value: null, ...asRead(entry) })),
  );
  const entry = await store.get(settingsKey);
  const moved = entry && movedRecord.parse(entry);
  if (typeof moved !== 'object' || moved.value.moved.by !== id) return;
  await store.commit([{ key: settingsKey, value: moved.value.moved.settings, ...asRead(entry) }]);
}

/** A move to an etcd that weavets runs was broken off before that was this host's: it goes on where it was. */
export async function reopenAfterCrash(store: Store, id: string): Promise<void> {
  const entry = await store.get(settingsKey);
  const moved = entry && movedRecord.parse(entry);
  if (typeof moved === 'object' && moved.value.moved.to === null) await reopen(store, id);
}

/** True when the cluster that this host was part of is in that store. */
export async function isSameCluster(there: Store, local: Store): Promise<boolean> {
  const [known, found] = [await findSettings(local), await findSettings(there)];
  return known !== undefined && found?.salt === known.salt;
}

/**
 * Removes what this cluster has left there: when it moved away, or when a move there was broken off.
 * @throws WeaveError CLUSTER_MISMATCH: there is another cluster
 */
async function clear(target: Store, settings: Entry): Promise<void> {
  const there = await target.get(settingsKey);
  const alive = await target.list(aliveRecord.prefix);
  const running = alive.filter((entry) => !isParked(entry));
  if (running.length > 0 || (there && saltOf(there) !== saltOf(settings))) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      "that etcd has another cluster already; name one that has none, or remove it there: 'weavets reset' on each of its hosts",
    );
  }
  const entries = (await Promise.all(kinds.map(({ prefix }) => target.list(prefix)))).flat();
  const left = [...(there ? [there] : []), ...alive, ...entries];
  await commitAll(
    target,
    left.map(({ key }) => ({ key, value: null })),
  );
}

function isParked(entry: Entry): boolean {
  const alive = aliveRecord.parse(entry);
  return typeof alive === 'object' && alive.value.run === parkedRun;
}

/** Each cluster has one of its own, and takes it along. */
function saltOf(entry: Entry): string | undefined {
  const moved = movedRecord.parse(entry);
  const value = typeof moved === 'object' ? moved.value.moved.settings : entry.value;
  const settings = settingsRecord.parse({ key: entry.key, value });
  return typeof settings === 'object' ? settings.value.salt : undefined;
}

/** Each host's writes to blocks go with its turn: one that is as it was has written none. */
async function close(
  { source, self, to }: Move,
  { settings, entries }: { settings: Entry; entries: readonly Entry[] },
): Promise<void> {
  const holder: Holder = { id: self.id, run: parkedRun, address: self.address };
  const keyed = new Map(entries.map((entry) => [entry.key, entry]));
  const names = entries.flatMap(({ key }) => hostRecord.parseKey(key) ?? turnRecord.parseKey(key) ?? []);
  const parks = [...new Set(names)]
    .filter((name) => name !== self.name)
    .flatMap((name): Write[] => {
      const turn = turnRecord.keyOf(name);
      return [aliveRecord.write(name, holder, { expect: 0 }), { key: turn, ...asRead(keyed.get(turn)) }];
    });
  const moved = { by: self.id, host: self.address, to, settings: settings.value };
  const closing = { ...movedRecord.write('settings', { moved }), ...asRead(settings) };
  if (await commitAll(source, [...parks, closing])) return;
  throw new WeaveError(
    'CLUSTER_MISMATCH',
    'a host of the cluster was launched meanwhile; nothing has moved: stop weavets there, and try again',
  );
}

/** In their order, as many at a time as etcd takes. @returns false when one was not done; those before it were */
async function commitAll(store: Store, writes: readonly Write[]): Promise<boolean> {
  for (let i = 0; i < writes.length; i += most) {
    if (!(await store.commit(writes.slice(i, i + most)))) return false;
  }
  return true;
}
