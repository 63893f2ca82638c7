import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import { wholeSpace } from '../../../src/ipam/space.ts';
import { Cidr } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { loadAllocator } from '../../support/ipam.ts';
import { reconcilerWith } from '../../support/reconciler.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-removed-'));
after(() => rmSync(folder, { recursive: true }));

const [first, second, other] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

for (const [what, request] of Object.entries({
  'an address': '10.32.5.5/24',
  'the last address of a subnet': 'net:10.32.6.0/30',
})) {
  test(`${what} is free once its container is removed, though the engine has not told yet`, async () => {
    const store = LmdbStore.open(join(folder, what));
    const allocator = await loadAllocator({ range: Cidr.parse('10.32.0.0/12'), store, space: wholeSpace });
    await allocator.claim(other, Cidr.parse('10.32.6.1/30'));
    const existing = new Set([first, second, other]);
    const info = (id: string) =>
      ({
        id,
        networkMode: 'bridge',
        env: [`WEAVE_CIDR=${request}`],
        shim: { source: '/shims/wait', target: '/w' },
        running: false,
      }) as ContainerInfo;
    const reconciler = reconcilerWith({
      engine: {
        list: async () => [...existing].map((id) => ({ id, name: id, running: false })),
        inspect: async (id) => (existing.has(id) ? info(id) : undefined),
        remove: async () => {},
      },
      allocator,
    });
    const start = async (id: string) => (await reconciler.begin(id))?.abandon();

    await start(first);
    const [held] = allocator.owned(first);
    await assert.rejects(start(second), /already in use|no free address/);
    existing.delete(first);
    await start(second);
    assert.deepEqual(allocator.owned(second), [held]);
    assert.equal(allocator.owned(other).length, 1);
    reconciler.close();
    await store.close();
  });
}
