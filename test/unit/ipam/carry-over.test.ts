import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Blocks } from '../../../src/ipam/blocks.ts';
import { carryOver } from '../../../src/ipam/carry-over.ts';
import { wholeSpace } from '../../../src/ipam/space.ts';
import { SwitchedSpace } from '../../../src/ipam/switched-space.ts';
import { WeaveError } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import type { Store } from '../../../src/store/store.ts';
import { loadAllocator } from '../../support/ipam.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-carry-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;
const open = () => LmdbStore.open(join(folder, `${count++}`));

const range = Cidr.parse('10.32.0.0/16');
const [here, there] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
const peerOf = (name: string | undefined) => name ?? '';

/** A cluster's store that takes so many commits, and then is away. */
function failing(store: Store, commits: number): Store {
  let left = commits;
  const away = () => new WeaveError('STORE_UNAVAILABLE', 'away');
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    commit: async (writes) => {
      if (left-- <= 0) throw away();
      return store.commit(writes);
    },
    watch: (prefix, watcher, signal) => store.watch(prefix, watcher, signal),
    close: async () => {},
  };
}

/** One run of a daemon on a host that was alone, which comes into the cluster. */
async function run(local: Store, shared: Store, peer: string) {
  const ending = new AbortController();
  const space = new SwitchedSpace(wholeSpace);
  const allocator = await loadAllocator({ range, store: local, space });
  const enter = async () => {
    space.pause();
    const { signal } = ending;
    const blocks = await Blocks.start({
      shared,
      local,
      peer,
      machine: peer,
      conditions: { update: () => {} },
      range,
      askTimeout: 200,
      signal,
      logger: silent,
    });
    await carryOver(blocks, allocator);
    space.use(blocks);
  };
  return { allocator, enter, end: () => ending.abort() };
}

async function give(local: Store, owners: number): Promise<string[]> {
  const space = wholeSpace;
  const allocator = await loadAllocator({ range, store: local, space });
  const given: string[] = [];
  for (let i = 0; i < owners; i++) given.push(String(await allocator.allocate(`container${i}`, range)));
  // And some that were named, in blocks of their own.
  for (const ip of ['10.32.9.9', '10.32.77.1']) {
    given.push(String(await allocator.claim(`named${ip}`, Cidr.parse(`${ip}/16`))));
  }
  return given;
}

test('what a host has allocated stays its own in the cluster, wherever it was interrupted', async () => {
  for (let commits = 0; commits < 6; commits++) {
    const [local, shared] = [open(), open()];
    const given = await give(local, 300);
    const first = await run(local, failing(shared, commits), peerOf(here));
    await first
      .enter()
      .catch((error: unknown) => assert.equal((error as WeaveError).code, 'STORE_UNAVAILABLE'));
    first.end();
    const second = await run(local, shared, peerOf(here));
    await second.enter();
    const has = second.allocator.owners().flatMap((owner) => second.allocator.owned(owner).map(String));
    assert.deepEqual(has.sort(), [...given].sort());
    // Another host gets none of them, and this one goes on.
    const other = await run(open(), shared, peerOf(there));
    await other.enter();
    for (let i = 0; i < 50; i++) {
      const mine = await second.allocator.allocate(`later${i}`, range);
      const its = await other.allocator.allocate(`its${i}`, range);
      assert.ok(!given.includes(String(mine)) && !given.includes(String(its)) && !mine.equals(its));
    }
    second.end();
    other.end();
  }
});

test('a request for an address meanwhile waits, and gets one that nobody else has', async () => {
  const [local, shared] = [open(), open()];
  const given = await give(local, 10);
  const { allocator, enter, end } = await run(local, shared, peerOf(here));
  const entering = enter();
  const asked = [allocator.allocate('new', range), allocator.claim('named', Cidr.parse('10.32.5.5/16'))];
  await entering;
  const got = (await Promise.all(asked)).map(String);
  assert.equal(new Set([...given, ...got]).size, given.length + 2);
  end();
});

test("an address allocated by two hosts is reported; a free one in another's block is taken over", async () => {
  const shared = open();
  const [firstLocal, secondLocal] = [open(), open()];
  await give(firstLocal, 3);
  const first = await run(firstLocal, shared, peerOf(here));
  await first.enter();
  // In the block of the first, where nothing has it.
  const space = wholeSpace;
  const before = await loadAllocator({ range, store: secondLocal, space });
  await before.claim('mine', Cidr.parse('10.32.0.9/16'));
  const second = await run(secondLocal, shared, peerOf(there));
  await second.enter();
  second.end();
  await before.claim('double', Cidr.parse('10.32.0.2/16'));
  const third = await run(secondLocal, shared, peerOf(there));
  await assert.rejects(third.enter(), { code: 'CLUSTER_MISMATCH', message: /10\.32\.0\.2;/ });
  third.end();
  first.end();
});
