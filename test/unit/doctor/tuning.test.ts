import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { neighbours } from '../../../src/doctor/checks/neighbours.ts';
import { Tuning } from '../../../src/doctor/tuning.ts';
import { silent } from '../../../src/lib/log.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-tuning-'));
const store = LmdbStore.open(join(folder, 'store'));
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const root = join(folder, 'sys');
const limit = (number: number) => `net/ipv4/neigh/default/gc_thresh${number}`;
const tuning = new Tuning({ store, logger: silent, root });
function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
const now = (setting: string) => readFileSync(join(root, setting), 'utf8').trim();

/** /proc/net/stat/arp_cache, of two processors. */
function table(entries: number): string {
  const path = join(folder, 'arp_cache');
  const row = `${entries.toString(16).padStart(8, '0')}  0000000a 00000000 00000001`;
  put(path, `entries  allocs   destroys table_fulls\n${row}\n${row}\n`);
  return path;
}

test('a half-full neighbour table is enlarged, once; reset restores its size', async () => {
  put(join(root, limit(2)), '512\n');
  put(join(root, limit(3)), '1024\n');
  const look = (entries: number) => neighbours.run({ tuning, neighbourTable: table(entries) });
  assert.deepEqual(await look(100), {
    state: 'ok',
    text: "the kernel's table of neighbours holds 100 of 1024",
  });
  const raised = await look(600);
  assert.equal(raised.state, 'healed');
  assert.match(raised.text, /gc_thresh3 was 1024 and is 4096/);
  assert.deepEqual([now(limit(2)), now(limit(3))], ['2048', '4096']);
  assert.deepEqual(await look(600), raised, 'it is told as long as it is so');
  assert.equal((await look(3000)).state, 'healed');
  assert.equal(now(limit(3)), '16384');
  await tuning.undo();
  assert.deepEqual([now(limit(2)), now(limit(3))], ['512', '1024']);
});

test('settings changed by others since are left alone', async () => {
  await tuning.set(limit(3), '2048');
  put(join(root, limit(3)), '9999\n');
  assert.deepEqual(await tuning.list(), []);
  await tuning.undo();
  assert.equal(now(limit(3)), '9999');
});

test("without the kernel's figures nothing is reported as healed or wrong", async () => {
  const { state } = await neighbours.run({ tuning, neighbourTable: join(folder, 'none') });
  assert.equal(state, 'skipped');
});

test('a limit is raised, never lowered, and reset restores it', async () => {
  const limit = 'net/core/rmem_max';
  put(join(root, limit), '212992\n');
  await tuning.raise(limit, 1_048_576);
  assert.equal(now(limit), '1048576');
  await tuning.raise(limit, 500_000);
  assert.equal(now(limit), '1048576');
  await tuning.undo();
  assert.equal(now(limit), '212992');
  await tuning.raise('net/core/none', 1);
});
