import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { wholeSpace } from '../../../src/ipam/space.ts';
import { hasCode } from '../../../src/lib/errors.ts';
import { Cidr } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { loadAllocator } from '../../support/ipam.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-ipam-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

async function fresh(range = '10.32.0.0/12', path = join(folder, String(count++))) {
  const store = LmdbStore.open(path);
  const cidr = Cidr.parse(range);
  const allocator = await loadAllocator({ range: cidr, store, space: wholeSpace });
  return { allocator, store, path };
}

test('gives the lowest free address first, and the same one again to the same owner', async () => {
  const { allocator, store } = await fresh();
  const give = async (owner: string) => String(await allocator.allocate(owner, allocator.defaultSubnet));
  assert.equal(await give('a'), '10.32.0.1/12');
  assert.equal(await give('b'), '10.32.0.2/12');
  assert.equal(await give('a'), '10.32.0.1/12');
  await allocator.release('a');
  assert.equal(await give('c'), '10.32.0.1/12');
  assert.equal(await give('d'), '10.32.0.3/12');
  await store.close();
});

test('never gives the first and last address of a subnet, and says when it is full', async () => {
  const { allocator, store } = await fresh();
  const subnet = Cidr.parse('10.32.8.0/30');
  assert.equal((await allocator.allocate('a', subnet)).address, '10.32.8.1');
  assert.equal((await allocator.allocate('b', subnet)).address, '10.32.8.2');
  await assert.rejects(
    allocator.allocate('c', subnet),
    (e) => hasCode(e, 'IPAM_FULL') && /10\.32\.8\.0\/30/.test(e.message),
  );
  await allocator.release('a');
  assert.equal((await allocator.allocate('c', subnet)).address, '10.32.8.1');
  await assert.rejects(allocator.allocate('a', Cidr.parse('10.32.8.1/32')), (e) => hasCode(e, 'IPAM_FULL'));
  await assert.rejects(allocator.allocate('a', Cidr.parse('192.168.0.0/24')), (e) =>
    hasCode(e, 'BAD_ADDRESS'),
  );
  await store.close();
});

test('a claim in the range conflicts with another owner; outside it, addresses are unmanaged', async () => {
  const { allocator, store } = await fresh();
  const claim = (owner: string, cidr: string) => allocator.claim(owner, Cidr.parse(cidr));
  await claim('a', '10.32.1.5/24');
  await claim('a', '10.32.1.5/24');
  await assert.rejects(claim('b', '10.32.1.5/24'), (e) => hasCode(e, 'IPAM_CONFLICT'));
  await assert.rejects(claim('b', '10.32.1.0/24'), (e) => hasCode(e, 'BAD_ADDRESS'));
  await assert.rejects(claim('b', '10.32.1.255/24'), (e) => hasCode(e, 'BAD_ADDRESS'));
  assert.equal(String(await claim('a', '192.168.7.7/24')), '192.168.7.7/24');
  assert.equal(String(await claim('b', '192.168.7.7/24')), '192.168.7.7/24');
  assert.equal(allocator.active, 1);
  await store.close();
});

test('addresses are still held after a restart', async () => {
  const first = await fresh();
  await first.allocator.allocate('a', first.allocator.defaultSubnet);
  await first.store.close();
  const { allocator, store } = await fresh('10.32.0.0/12', first.path);
  assert.deepEqual(allocator.owned('a').map(String), ['10.32.0.1/12']);
  assert.equal((await allocator.allocate('b', allocator.defaultSubnet)).address, '10.32.0.2');
  await store.close();
});

test('an address whose record can’t be written is not handed out, and is free again', async () => {
  const { allocator, store } = await fresh();
  const commit = store.commit.bind(store);
  store.commit = async () => Promise.reject(new Error('disk full'));
  await assert.rejects(allocator.allocate('a', allocator.defaultSubnet), /disk full/);
  store.commit = commit;
  assert.equal((await allocator.allocate('b', allocator.defaultSubnet)).address, '10.32.0.1');
  await store.close();
});

test('500 owners at once get 500 addresses; an owner that asks twice at once gets one', async () => {
  const { allocator, store } = await fresh();
  const owners = Array.from({ length: 500 }, (_, i) => `c${i}`);
  const given = await Promise.all(
    owners.flatMap((owner) => [1, 2].map(() => allocator.allocate(owner, allocator.defaultSubnet))),
  );
  assert.equal(new Set(given.map(String)).size, 500);
  assert.equal(allocator.active, 500);
  await store.close();
});

test('for any requests in any order: no address has two owners, and the lowest free one goes first', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('allocate' as const),
      owner: fc.nat(9),
      subnet: fc.constantFrom('10.9.0.0/28', '10.9.0.0/29', '10.9.0.8/29'),
    }),
    fc.record({ do: fc.constant('claim' as const), owner: fc.nat(9), ip: fc.integer({ min: 1, max: 14 }) }),
    fc.record({ do: fc.constant('release' as const), owner: fc.nat(9) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { allocator, store } = await fresh('10.9.0.0/28');
      const model = new Map<number, string>();
      for (const s of steps) {
        const owner = `o${s.owner}`;
        if (s.do === 'release') {
          await allocator.release(owner);
          for (const [ip, who] of model) if (who === owner) model.delete(ip);
        } else if (s.do === 'claim') {
          const cidr = new Cidr(Cidr.parse('10.9.0.0/28').first + s.ip, 28);
          const taken = model.get(cidr.ip) ?? owner;
          const got = await allocator.claim(owner, cidr).catch(() => undefined);
          assert.equal(got !== undefined, taken === owner);
          if (got) model.set(cidr.ip, owner);
        } else {
          const subnet = Cidr.parse(s.subnet);
          const before = allocator.owned(owner);
          const got = await allocator.allocate(owner, subnet).catch(() => undefined);
          if (got && before.some((cidr) => cidr.equals(got))) continue;
          let lowest = subnet.first + 1;
          while (model.has(lowest)) lowest++;
          assert.equal(got?.ip, lowest < subnet.last ? lowest : undefined);
          if (got) model.set(got.ip, owner);
        }
      }
      assert.equal(allocator.active, model.size);
      await store.close();
    }),
    { numRuns: 40 },
  );
});
