import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { moveCluster, reopen, reopenAfterCrash } from '../../../src/cluster/moved.ts';
import { whereMoved } from '../../../src/cluster/settings.ts';
import type { Ip } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import type { Entry, Store, Write } from '../../../src/store/store.ts';

let root = '';
let source: Store;
let target: Store;
const self = { name: '02:00:00:00:00:01', id: 'machine1', address: '10.0.0.1' as Ip };
const other = '02:00:00:00:00:02';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weavets-moved-'));
  source = LmdbStore.open(join(root, 'source'));
  target = LmdbStore.open(join(root, 'target'));
});
afterEach(async () => {
  await source.close();
  await target.close();
  rmSync(root, { recursive: true });
});

const settings = (salt = 'c2FsdA==') =>
  JSON.stringify({ range: '10.32.0.0/12', domain: 'weave.local.', proof: null, salt });

async function put(store: Store, records: Record<string, unknown>): Promise<void> {
  const writes = Object.entries(records).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? value : JSON.stringify(value),
  }));
  for (let i = 0; i < writes.length; i += 100) await store.commit(writes.slice(i, i + 100));
}

const cluster = (hosts: readonly string[]) => ({
  'cluster/settings': settings(),
  'era/now': { number: 1, id: 'era', settled: true },
  'block/10.32.0.0': { '0-127': self.name, '128-255': other },
  [`link/${other}/${'a'.repeat(64)}`]: { mac: '02:00:00:00:00:07', ips: ['10.32.0.130'], names: [] },
  ...Object.fromEntries(hosts.map((name) => [`host/${name}`, { any: 'record' }])),
  ...Object.fromEntries(hosts.map((name) => [`turn/${name}`, { turn: 3, era: 'era', step: 'told' }])),
  'join/x': 'a token',
  'etcd/members': 'of that etcd',
});

const values = (entries: readonly Entry[]) => entries.map(({ key, value }) => ({ key, value }));
const move = (to: string | null = null) => moveCluster({ source, target, self, to });
const alive = (address: string) => ({ id: 'x', run: 'y', address });

/** A store in which something happens just before a commit that has this key. */
function interrupted(store: Store, key: string, happens: () => Promise<unknown>): Store {
  return new Proxy(store, {
    get: (real, name: keyof Store) => {
      if (name !== 'commit') return real[name].bind(real);
      return async (writes: readonly Write[]) => {
        if (writes.some((write) => write.key === key)) await happens();
        return real.commit(writes);
      };
    },
  });
}

test('what the hosts have goes along; what belongs to the store stays', async () => {
  await put(source, cluster([self.name, other]));
  const before = values(await source.list(''));
  await move();
  const expected = before.filter(({ key }) => !/^(join|etcd)\//.test(key));
  assert.deepEqual(values(await target.list('')), expected);
  const text = whereMoved(await source.get('cluster/settings')) ?? assert.fail('it is open');
  assert.match(text, /moved to one that weavets runs.*cluster token.*10\.0\.0\.1/);
  // The name of the host that is away is no one's; this host's own is left alone.
  assert.match((await source.get(`alive/${other}`))?.value ?? '', /"moved"/);
  assert.equal(await source.get(`alive/${self.name}`), undefined);
});

test('reopened, the store is as it was', async () => {
  await put(source, cluster([self.name, other]));
  const before = values(await source.list(''));
  await move();
  await reopen(source, 'another machine');
  assert.notDeepEqual(values(await source.list('')), before);
  await reopenAfterCrash(source, self.id);
  assert.deepEqual(values(await source.list('')), before);
});

test('one that moved to another etcd of the user stays closed to the host that moved it', async () => {
  await put(source, cluster([self.name, other]));
  await move('etcd://10.0.0.5:2379');
  await reopenAfterCrash(source, self.id);
  const text = whereMoved(await source.get('cluster/settings')) ?? assert.fail('it is open');
  assert.match(text, /launch with --store etcd:\/\/10\.0\.0\.5:2379/);
});

test('while other hosts run nothing moves', async () => {
  await put(source, { ...cluster([self.name, other]), [`alive/${other}`]: alive('10.0.0.2') });
  const before = values(await source.list(''));
  await assert.rejects(move(), /runs on other hosts of this cluster: 10\.0\.0\.2.*weavets stop/);
  assert.deepEqual(values(await source.list('')), before);
  assert.deepEqual(await target.list(''), []);
});

const happenings: Record<string, () => Promise<unknown>> = {
  'a new host joins': async () => put(source, { 'cluster/settings': settings() }),
  'a host is launched': async () => put(source, { [`alive/${other}`]: alive('10.0.0.2') }),
  'a host that was cut off writes to its blocks': async () =>
    put(source, { [`turn/${other}`]: { turn: 4, era: 'era', step: 'told' } }),
};
for (const [what, happens] of Object.entries(happenings)) {
  test(`${what} at the last moment: nothing has moved`, async () => {
    await put(source, cluster([self.name, other]));
    const real = source;
    let once = true;
    const key = what === 'a new host joins' ? 'cluster/settings' : `alive/${other}`;
    const at = interrupted(source, key, async () => {
      if (once) await happens();
      once = false;
    });
    await assert.rejects(moveCluster({ source: at, target, self, to: null }), /launched meanwhile/);
    assert.equal((await real.get('cluster/settings'))?.value, settings());
    assert.doesNotMatch((await real.get(`alive/${other}`))?.value ?? '', /"moved"/);
  });
}

test('of 300 hosts each is parked', async () => {
  const hosts = Array.from({ length: 300 }, (_, i) => `host${i}`);
  await put(source, cluster([self.name, ...hosts]));
  await move();
  assert.equal((await source.list('alive/')).length, 300);
  await reopen(source, self.id);
  assert.equal((await source.list('alive/')).length, 0);
});

test('another cluster is not overwritten; what this one left there is', async () => {
  await put(source, cluster([self.name, other]));
  await put(target, { 'cluster/settings': settings('b3RoZXI='), 'host/x': { any: 'record' } });
  const before = values(await target.list(''));
  await assert.rejects(move(), /another cluster already/);
  assert.deepEqual(values(await target.list('')), before);
  assert.equal(whereMoved(await source.get('cluster/settings')), undefined);

  await target.commit(before.map(({ key }) => ({ key, value: null })));
  await move('etcd://10.0.0.5:2379');
  await put(target, { 'block/10.32.1.0': { '0-255': self.name } });
  // And back.
  await moveCluster({ source: target, target: source, self, to: null });
  assert.equal((await source.get('cluster/settings'))?.value, settings());
  assert.notEqual(await source.get('block/10.32.1.0'), undefined);
  assert.deepEqual(await source.list('alive/'), []);
});
