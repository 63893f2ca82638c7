import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { storeContract } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-lmdb-'));
after(() => rmSync(folder, { recursive: true }));
storeContract('lmdb', async (name) => LmdbStore.open(join(folder, name)));

test('a commit that nobody waits for goes with the next, in order; or in a moment, or with the end', async () => {
  const path = join(folder, 'soon');
  const store = LmdbStore.open(path);
  const write = (key: string, value: string | null) => [{ key, value }];
  const first = store.commitSoon(write('a', '1'));
  assert.equal(await Promise.race([first, delay(20, 'waits')]), 'waits');
  const soon = [store.commitSoon(write('b', '1')), store.commitSoon(write('b', '2'))];
  await store.commit(write('a', null));
  assert.deepEqual(await Promise.all([first, ...soon]), [true, true, true]);
  assert.deepEqual([await store.get('a'), (await store.get('b'))?.value], [undefined, '2']);
  assert.equal(await store.commitSoon(write('c', '1')), true);
  const last = store.commitSoon(write('d', '1'));
  await store.close();
  assert.equal(await last, true);
  const again = LmdbStore.open(path);
  assert.equal((await again.get('d'))?.value, '1');
  await again.close();
});
