import type { LaunchConfig } from '../config/config.ts';
import { cellKey, formatCell, keyCell, parseCell, rewrite, slotsOf } from '../ipam/grid.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { silent } from '../lib/log.ts';
import { accessRecord } from '../store/records/access.ts';
import { aliveRecord } from '../store/records/alive.ts';
import { blockRecord } from '../store/records/block.ts';
import { eraRecord, turnRecord } from '../store/records/era.ts';
import { hostRecord } from '../store/records/host.ts';
import { linkRecord } from '../store/records/link.ts';
import { asRead, type Entry, type Store } from '../store/store.ts';
import { membersKey } from './members.ts';
import { connectStore } from './overlay.ts';
import { nameKey } from './peer.ts';
import { settingsKey } from './settings.ts';

/** Writes of one commit; etcd takes no more. */
const most = 128;

/** Removes the store's records of a host, except its addresses. @throws WeaveError STORE_UNAVAILABLE */
export async function forgetHost(shared: Store, name: string): Promise<void> {
  const links = (await shared.list(`${linkRecord.prefix}${name}/`)).map(({ key }) => ({ key, value: null }));
  const writes = [aliveRecord.write(name, null), hostRecord.write(name, null), ...links];
  for (let i = 0; i < writes.length; i += most) await shared.commit(writes.slice(i, i + most));
}

/**
 * This host leaves the cluster: its records go, its addresses are free, and the last host
 * takes the cluster's settings along. @throws WeaveError STORE_UNAVAILABLE
 */
export async function leaveCluster(shared: Store, name: string): Promise<void> {
  await forgetHost(shared, name);
  for (const { key } of await shared.list(blockRecord.prefix)) await freeBlock(shared, key, name);
  for (;;) {
    const settings = await shared.get(settingsKey);
    if (settings === undefined) return;
    const others = await Promise.all([hostRecord, aliveRecord].map(({ prefix }) => shared.list(prefix)));
    if (others.flat().length > 0) return;
    // A host that joins meanwhile has rewritten the settings, and then they stay.
    if (await clear(shared, settings)) return;
  }
}

/** Removes what is left of a cluster without hosts. @returns false when the settings are not those any more */
async function clear(shared: Store, settings: Entry): Promise<boolean> {
  const prefixes = [blockRecord, turnRecord, eraRecord].map(({ prefix }) => prefix);
  const entries = (await Promise.all(prefixes.map((prefix) => shared.list(prefix)))).flat();
  const deletions = entries.map((entry) => ({ key: entry.key, value: null, ...asRead(entry) }));
  const unchanged = { key: settingsKey, ...asRead(settings) };
  // Comparisons count as writes do.
  while (deletions.length >= most / 4) {
    if (!(await shared.commit([unchanged, ...deletions.splice(0, most / 4)]))) return false;
  }
  return shared.commit([{ ...unchanged, value: null }, ...deletions]);
}

/** How etcd was reached, for a reset when no daemon runs. Secrets are not kept. */
export async function keepAccess(local: Store, { etcd }: LaunchConfig): Promise<void> {
  const { ca, cert, key, user } = etcd ?? {};
  await local.commit([accessRecord.write('access', { ca, cert, key, user })]);
}

/**
 * {@link leaveCluster}, with what this host has kept of its cluster. A host that is in none has nothing to do.
 * @throws WeaveError STORE_UNAVAILABLE, saying what is left to do on another host
 */
export async function leaveAsKept(local: Store, env: NodeJS.ProcessEnv): Promise<void> {
  const [store, name, kept] = await Promise.all(
    [membersKey, nameKey, accessRecord.keyOf('access')].map((key) => local.get(key)),
  );
  if (store === undefined || name === undefined) return;
  const parsed = kept && accessRecord.parse(kept);
  const { user, ...tls } = typeof parsed === 'object' ? parsed.value : {};
  const password = env.ETCDCTL_PASSWORD ?? env.ETCDCTL_USER?.split(':').slice(1).join(':');
  const etcd = { ...tls, ...(user !== undefined && { user, password: password ?? '' }) };
  try {
    const shared = await connectStore({ store: store.value, etcd }, silent);
    try {
      await leaveCluster(shared as Store, name.value);
    } finally {
      await shared?.close();
    }
  } catch (cause) {
    throw new WeaveError(
      'STORE_UNAVAILABLE',
      `the cluster at ${store.value} still knows this host (${messageOf(cause)}); run 'weavets rmpeer ${name.value}' on another host`,
      { cause },
    );
  }
}

async function freeBlock(shared: Store, key: string, name: string): Promise<void> {
  const cell = keyCell(key);
  if (cell === undefined) return;
  for (;;) {
    const entry = await shared.get(key);
    const slots = slotsOf(cell, parseCell(cell, entry?.value));
    if (rewrite(cell, slots, (owner) => (owner === name ? undefined : owner)) === 0) return;
    const write = { key: cellKey(cell), value: formatCell(cell, slots), expect: entry?.revision ?? 0 };
    if (await shared.commit([write])) return;
  }
}
