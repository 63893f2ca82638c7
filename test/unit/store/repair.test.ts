import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { open } from 'lmdb';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { repairStore } from '../../../src/store/repair.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-repair-'));
after(() => rmSync(folder, { recursive: true }));
let made = 0;

const keyOf = (i: number) => `addr/10.32.${i >> 8}.${i & 255}`;
const textOf = (i: number) =>
  `{"owner":"${String(i).padStart(64, 'a')}","cidr":"10.32.${i >> 8}.${i & 255}/12"}`;

/** A store of 200 rows, some written twice. @param clean false: as it is after kill -9 */
async function filled(clean: boolean): Promise<string> {
  const path = join(folder, String(made++));
  const store = LmdbStore.open(path);
  for (let i = 0; i < 200; i++) await store.commit([{ key: keyOf(i), value: textOf(i) }]);
  for (let i = 0; i < 40; i++) await store.commit([{ key: keyOf(i), value: null }]);
  for (let i = 0; i < 40; i++) await store.commit([{ key: keyOf(i), value: textOf(i) }]);
  if (clean) {
    await store.close();
    return path;
  }
  const killed = join(folder, String(made++));
  mkdirSync(killed);
  copyFileSync(join(path, 'data.mdb'), join(killed, 'data.mdb'));
  await store.close();
  return killed;
}

/** What a host would find. */
async function opened(path: string) {
  const damage = await repairStore(path);
  const store = LmdbStore.open(path);
  const entries = await store.list('');
  // It can be written, too.
  await store.commit([{ key: 'more', value: 'x' }]);
  await store.close();
  return { damage, entries };
}

const file = (path: string) => join(path, 'data.mdb');

test('a store that was closed cleanly is used as it is', async () => {
  const path = await filled(true);
  const before = readFileSync(file(path));
  assert.equal(await repairStore(path), undefined);
  assert.deepEqual(readFileSync(file(path)), before);
  assert.equal((await opened(path)).entries.length, 200);
});

test('a store whose daemon was killed loses nothing', async () => {
  const path = await filled(false);
  const { damage, entries } = await opened(path);
  assert.deepEqual([damage, entries.length], [undefined, 200]);
  assert.equal(entries.find(({ key }) => key === keyOf(7))?.value, textOf(7));
});

for (const clean of [true, false]) {
  const closed = clean ? 'that was closed' : 'of a daemon that was killed';
  for (const [what, harm] of Object.entries({
    'half of the file is missing': (path: string) =>
      truncateSync(file(path), readFileSync(file(path)).length / 2),
    'the file is empty but for its head': (path: string) => truncateSync(file(path), 100),
    'six pages are garbage': (path: string) => overwrite(path, [3, 5, 8, 9, 12, 14]),
    'all pages but the first two are garbage': (path: string) =>
      overwrite(
        path,
        Array.from({ length: readFileSync(file(path)).length / 4096 - 2 }, (_, i) => i + 2),
      ),
    'all is garbage': (path: string) =>
      overwrite(
        path,
        Array.from({ length: readFileSync(file(path)).length / 4096 }, (_, i) => i),
      ),
  })) {
    test(`${what}, of a store ${closed}: it is told, kept, and what is sound is there`, async () => {
      const path = await filled(clean);
      harm(path);
      const { damage, entries } = await opened(path);
      assert.ok(damage, 'nobody noticed');
      assert.equal(damage.sound, entries.length);
      for (const { key, value } of entries) assert.match(value, new RegExp(`"cidr":"${key.slice(5)}/12"`));
      assert.ok(existsSync(file(damage.keptAt)));
      assert.deepEqual((await opened(path)).damage, undefined, 'it is sound from now on');
    });
  }
}

test('one bad row: it is reported, the others are there', async () => {
  const path = await filled(true);
  const bytes = readFileSync(file(path));
  // Everywhere that the row was ever written.
  for (let at = bytes.indexOf('10.32.0.77/12'); at >= 0; at = bytes.indexOf('10.32.0.77/12'))
    bytes[at] = 0x32;
  writeFileSync(file(path), bytes);
  const { damage, entries } = await opened(path);
  assert.ok(damage, 'nobody noticed');
  assert.equal(entries.length, 199);
});

test('a row that vanished is noticed by the totals', async () => {
  const path = await filled(false);
  const raw = open({ path, encoding: 'json', noSubdir: false });
  await raw.remove(keyOf(3));
  await raw.close();
  const { damage, entries } = await opened(path);
  assert.deepEqual([damage?.sound, entries.length], [199, 199]);
});

test('a repair interrupted between its renames is completed by the next', async () => {
  const path = await filled(true);
  const fresh = `${path}.new`;
  await LmdbStore.create(fresh, [{ key: 'a', value: 'b', revision: 7 }]);
  rmSync(path, { recursive: true });
  const { damage, entries } = await opened(path);
  assert.deepEqual([damage, entries], [undefined, [{ key: 'a', value: 'b', revision: 7 }]]);
  assert.equal((await readdir(folder)).includes(`${path}.new`), false);
});

function overwrite(path: string, pages: readonly number[]): void {
  const bytes = readFileSync(file(path));
  for (const page of pages)
    bytes.fill(`garbage ${page} `, page * 4096, Math.min((page + 1) * 4096, bytes.length));
  writeFileSync(file(path), bytes);
}
