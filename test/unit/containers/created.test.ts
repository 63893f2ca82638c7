import assert from 'node:assert/strict';
import test from 'node:test';
import { CreatedStore } from '../../../src/containers/created.ts';
import { silent } from '../../../src/lib/log.ts';
import type { Created } from '../../../src/model/created.ts';
import type { LocalStore } from '../../../src/store/store.ts';

const id = 'ab'.repeat(32);
const created: Created = {
  entrypoint: null,
  cmd: ['sh'],
  hostname: '',
  domainname: '',
  dns: null,
  dnsSearch: [],
  binds: null,
};

test('a record is known at once, persists, and goes with its container', async () => {
  const rows = new Map<string, string>();
  let write = () => {};
  const commit = async ([{ key, value }]: [{ key: string; value: string | null }]) => {
    await new Promise<void>((resolve) => (write = resolve));
    if (value === null) rows.delete(key);
    else rows.set(key, value);
    return true;
  };
  const store = {
    get: async (key: string) => {
      const value = rows.get(key);
      return value === undefined ? undefined : { key, value, revision: 1 };
    },
    list: async (prefix: string) =>
      [...rows]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => ({ key, value, revision: 1 })),
    commit,
    commitSoon: commit,
  } as unknown as LocalStore;
  const records = new CreatedStore(store, silent);
  records.put(id, created);
  assert.deepEqual([await records.get(id), rows.size], [created, 0]);
  write();
  await new Promise(setImmediate);
  assert.deepEqual(await new CreatedStore(store, silent).get(id), created);
  assert.deepEqual(await records.owners(), [id]);
  assert.equal(await records.isMadeOfId('ab'.repeat(6)), true);
  assert.equal(await records.isMadeOfId('cd'.repeat(6)), false);
  const deleted = records.delete(id);
  await new Promise(setImmediate);
  write();
  await deleted;
  assert.equal(await records.isMadeOfId('ab'.repeat(6)), true, 'remembered for who makes it anew');
  assert.equal(await records.get(id), undefined);
  rows.set(`created/${id}`, '{"entrypoint":"x"}');
  assert.equal(await records.get(id), undefined);
});
