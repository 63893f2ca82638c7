import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Naming } from '../../../src/containers/naming.ts';
import { NameTable } from '../../../src/dns/names.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import { bootId } from '../../../src/lib/boot.ts';
import { silent } from '../../../src/lib/log.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';

const id = 'c'.repeat(64);
const pid = 77;

/** The addresses of a name that was given by hand under that boot, once the container is seen to run with the same pid. */
async function kept(boot: string): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
  const store = LmdbStore.open(dir);
  try {
    const value = { pid, boot, addresses: [], names: [{ hostname: 'db.example.', address: '10.32.0.1' }] };
    await store.commit([{ key: `names/${id}`, value: JSON.stringify(value) }]);
    const names = new NameTable();
    const naming = await Naming.load({
      names,
      store,
      domain: 'weave.local.',
      origin: 'here',
      changed: () => {},
      pidOf: async () => pid,
      own: { of: async () => [] } as never,
      logger: silent,
    });
    await naming.running({ id, pid } as ContainerInfo);
    return names.addresses('db.example.');
  } finally {
    await store.close();
    await rm(dir, { recursive: true });
  }
}

test('names given by hand belong to one run: after a reboot the same pid is another run', async () => {
  assert.deepEqual(await kept(bootId()), ['10.32.0.1']);
  assert.deepEqual(await kept('another boot'), []);
  assert.deepEqual(await kept(''), ['10.32.0.1'], 'written by an older version');
});
