/** What weavets 0.1.0 kept, as scripts/former-state.ts had it written: what containers had they have still. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { agreeOnSettings } from '../../../src/cluster/settings.ts';
import type { LaunchConfig } from '../../../src/config/config.ts';
import { Naming } from '../../../src/containers/naming.ts';
import { Overrides } from '../../../src/containers/overrides.ts';
import { NameTable } from '../../../src/dns/names.ts';
import { OwnBlocks } from '../../../src/ipam/own-blocks.ts';
import { wholeSpace } from '../../../src/ipam/space.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { blockRecord } from '../../../src/store/records/block.ts';
import { repairStore } from '../../../src/store/repair.ts';
import { samples } from '../../fuzz/record-samples.ts';
import { repository } from '../../support/host.ts';
import { loadAllocator } from '../../support/ipam.ts';

const fixture = join(repository, 'test/fixtures/0.1.0');
const peer = '02:00:00:00:00:01';
const [one, two, three] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];
const range = Cidr.parse('10.32.0.0/12');
let folder = '';
let store: LmdbStore;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weavets-former-'));
  const path = join(folder, 'store');
  mkdirSync(path);
  copyFileSync(join(fixture, 'data.mdb'), join(path, 'data.mdb'));
  assert.equal(await repairStore(path), undefined, 'it is taken for damaged');
  store = LmdbStore.open(path);
});
after(async () => {
  await store?.close();
  rmSync(folder, { recursive: true });
});

test('the host keeps its name, and containers their addresses, which nobody else gets', async () => {
  assert.equal((await store.get('peer/name'))?.value, peer);
  const allocator = await loadAllocator({ range, store, space: wholeSpace });
  assert.deepEqual(allocator.owned(one).map(String), ['10.32.0.1/12']);
  assert.deepEqual(allocator.owned(two).map(String).sort(), ['10.32.5.5/12', '10.32.8.1/24']);
  assert.deepEqual(allocator.owned('weave:expose').map(String), ['10.32.0.200/12']);
  assert.equal(String(await allocator.allocate('d'.repeat(64), range)), '10.32.0.2/12');
  const own = await OwnBlocks.load(store, peer, range);
  assert.ok(own.has(Cidr.parse('10.32.0.7/12').ip), 'its block');
});

test('what was asked for by attach, and names that were given by hand, hold', async () => {
  const { cidrs = [], choice } = (await Overrides.load(store, silent)).get(three) ?? {};
  assert.deepEqual(cidrs.map(String), ['10.32.8.9/24']);
  assert.deepEqual(choice?.addHosts, ['x:10.0.0.1']);
  const names = new NameTable();
  const pidOf = async () => 4711;
  const own = { of: () => ({ hostnames: [], services: [] }) };
  const changed = () => {};
  const parts = { names, store, domain: 'weave.local.', origin: peer, changed, pidOf, own, logger: silent };
  const naming = await Naming.load(parts as never);
  await naming.running({ id: one, pid: 4711 } as never);
  const found = names.list({}).map(({ hostname, address }) => `${hostname} ${address}`);
  assert.deepEqual(found.sort(), ['alias.weave.local. 10.32.0.1', 'printer.weave.local. 192.0.2.7']);
});

test('its blocks in etcd are understood; a cluster of such hosts is refused with what to do', async () => {
  const records = JSON.parse(readFileSync(join(fixture, 'cluster.json'), 'utf8')) as Record<string, string>;
  const shared = LmdbStore.open(join(folder, 'shared'));
  try {
    await shared.commit(Object.entries(records).map(([key, value]) => ({ key, value })));
    const [block] = await shared.list(blockRecord.prefix);
    assert.deepEqual(block && blockRecord.parse(block), { key: '10.32.0.0', value: { '0-255': peer } });
    const config = {
      store: 'etcd://x',
      ipallocRange: String(range),
      dnsDomain: 'weave.local.',
      password: null,
    };
    await assert.rejects(
      agreeOnSettings(config as LaunchConfig, { shared, local: store }),
      /or of an older weavets; when no host of it runs, remove them with: etcdctl del/,
    );
  } finally {
    await shared.close();
  }
});

test('a later version may add fields to its records: this one goes on beside it', () => {
  for (const { kind, key, value } of samples) {
    // Blocks are made of nothing but fields.
    if (typeof value !== 'object' || kind.prefix === blockRecord.prefix) continue;
    const more = JSON.stringify({ ...value, later: { any: 'thing' } });
    const parsed = kind.parse({ key: `${kind.prefix}${key}`, value: more });
    assert.equal(typeof parsed, 'object', `${kind.prefix}${key}: ${parsed}`);
  }
});
