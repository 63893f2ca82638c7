import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { NameClaim } from '../../../src/cluster/claim.ts';
import { Blocks } from '../../../src/ipam/blocks.ts';
import { hasCode, WeaveError } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr, type Ip } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { aliveRecord } from '../../../src/store/records/alive.ts';
import { hostRecord } from '../../../src/store/records/host.ts';
import { loadAllocator } from '../../support/ipam.ts';
import { until } from '../../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-claim-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

const name = '02:00:00:00:00:01';
const [one, two] = ['10.250.0.1', '10.250.0.2'] as Ip[] as [Ip, Ip];

function makeStore(t: TestContext): LmdbStore {
  const store = LmdbStore.open(join(folder, String(count++)));
  t.after(() => store.close());
  return store;
}

/** A host that claims the name; records what it is told. */
async function take(t: TestContext, shared: LmdbStore, host: { id: string; address: Ip; patience?: number }) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const told: (string | undefined)[] = [];
  const changed = (lost: string | undefined) => told.push(lost);
  const claim = await NameClaim.take({
    shared,
    name,
    patience: 0,
    ...host,
    changed,
    signal: stop.signal,
    logger: silent,
  });
  return { claim, told };
}

const register = (shared: LmdbStore, id: string, address: Ip) =>
  shared.commit([
    hostRecord.write(name, { id, nickname: id, address, vni: 6784, version: '1', key: null, probes: true }),
  ]);
const expire = (shared: LmdbStore) => shared.commit([aliveRecord.write(name, null)]);
const mismatch = (text: RegExp) => (error: unknown) =>
  hasCode(error, 'CLUSTER_MISMATCH') && text.test(error.message);

test('a host with the name of a live one is refused', async (t) => {
  const shared = makeStore(t);
  await take(t, shared, { id: 'a', address: one });
  await register(shared, 'a', one);
  await assert.rejects(take(t, shared, { id: 'b', address: two }), mismatch(/10\.250\.0\.1, has the name/));
});

test('a host with the name of an absent one is refused until that is removed', async (t) => {
  const shared = makeStore(t);
  await take(t, shared, { id: 'a', address: one });
  await register(shared, 'a', one);
  await expire(shared);
  await assert.rejects(
    take(t, shared, { id: 'b', address: two, patience: 60_000 }),
    mismatch(/belongs to a, 10\.250\.0\.1, which is away; .*weavets rmpeer 02:00/),
  );
  await shared.commit([hostRecord.write(name, null)]);
  assert.equal((await take(t, shared, { id: 'b', address: two })).claim.held, true);
});

test('a host that comes back, moves, or is reinstalled at its address gets its name at once', async (t) => {
  const shared = makeStore(t);
  await take(t, shared, { id: 'a', address: one });
  await register(shared, 'a', one);
  await take(t, shared, { id: 'a', address: one });
  await take(t, shared, { id: 'anew', address: one });
  await register(shared, 'anew', one);
  await expire(shared);
  await take(t, shared, { id: 'anew', address: two });
});

test('a name is claimed even if etcd was away at launch', async (t) => {
  const shared = makeStore(t);
  const away = {
    get: async () => {
      throw new WeaveError('STORE_UNAVAILABLE', 'away');
    },
  };
  const get = shared.get.bind(shared);
  Object.assign(shared, away);
  const { claim, told } = await take(t, shared, { id: 'a', address: one });
  assert.equal(claim.held, true);
  shared.get = get;
  claim.heard();
  await until('it is claimed', async () => (await get(aliveRecord.keyOf(name))) !== undefined);
  assert.deepEqual(told, []);
});

test('a host that lost its name allocates no more, says so, keeps its addresses, and resumes when it has the name again', async (t) => {
  const [shared, local] = [makeStore(t), makeStore(t)];
  const range = Cidr.parse('10.32.0.0/24');
  const stop = new AbortController();
  t.after(() => stop.abort());
  const { claim, told } = await take(t, shared, { id: 'a', address: one });
  await register(shared, 'a', one);
  const { signal } = stop;
  const blocks = await Blocks.start({
    shared,
    local,
    peer: name,
    machine: 'a',
    range,
    conditions: { update: () => {} },
    signal,
    logger: silent,
  });
  const allocator = await loadAllocator({ range, store: local, space: blocks });
  blocks.attach(allocator);
  const gave = await allocator.allocate('c1', range);

  // Cut off, removed, and another has come in its place.
  await expire(shared);
  await shared.commit([hostRecord.write(name, null)]);
  const other = await take(t, shared, { id: 'b', address: two });
  await register(shared, 'b', two);
  let regained = 0;
  claim.onRegained(() => regained++);
  claim.heard();
  await until('it knows', () => !claim.held);
  assert.match(told.at(-1) ?? '', /another host of the cluster, 10\.250\.0\.2, has the name/);
  blocks.suspend(told.at(-1));
  const refused = mismatch(/another host/);
  await assert.rejects(allocator.allocate('c2', range), refused);
  await assert.rejects(allocator.claim('c2', Cidr.parse('10.32.0.9/24')), refused);
  assert.ok((await allocator.allocate('c1', range)).equals(gave));

  // The other ends, but still owns the name.
  other.claim.release();
  await expire(shared);
  await until('it is told', () => /belongs to b/.test(told.at(-1) ?? ''));
  assert.equal(claim.held, false);
  await shared.commit([hostRecord.write(name, null)]);
  await until('it has its name again', () => claim.held);
  assert.deepEqual([told.at(-1), regained], [undefined, 1]);
  blocks.suspend(undefined);
  assert.ok(!(await allocator.allocate('c2', range)).equals(gave));
});
