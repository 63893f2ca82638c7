import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Attachment, Attachments, AttachWish } from '../../../src/containers/attachments.ts';
import { ByHand } from '../../../src/containers/by-hand.ts';
import { Overrides } from '../../../src/containers/overrides.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import { wholeSpace } from '../../../src/ipam/space.ts';
import { KeyedLock } from '../../../src/lib/lock.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr } from '../../../src/model/address.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { loadAllocator } from '../../support/ipam.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-by-hand-'));
const store = LmdbStore.open(join(folder, 'store'));
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const id = 'c'.repeat(64);
const choice = { multicastRoute: true, rewriteHosts: true, addHosts: [], dns: true };
const [first, second] = ['10.32.0.1/16', '10.32.9.1/16'];

test('a second attach that fails, in the container or in the store, takes back what it added and no more', async () => {
  const info = { id, name: 'c', running: true, networkMode: 'default' } as ContainerInfo;
  const allocator = await loadAllocator({ range: Cidr.parse('10.32.0.0/16'), store, space: wholeSpace });
  const overrides = await Overrides.load(store, silent);
  let attached: Attachment | undefined;
  let failing = '';
  const byHand = new ByHand({
    engine: { inspect: async () => info },
    allocator,
    attachments: {
      get: () => attached,
      attach: async (_: ContainerInfo, { cidrs }: AttachWish) => {
        if (failing === 'attach') throw new Error('no link');
        attached = { info, cidrs, choice } as unknown as Attachment;
      },
      reduce: async (_: Attachment, leaving: readonly Cidr[]) => {
        const left = attached?.cidrs.filter((cidr) => !leaving.includes(cidr));
        attached = { info, cidrs: left, choice } as unknown as Attachment;
      },
    } as unknown as Attachments,
    overrides: {
      get: (owner: string) => overrides.get(owner),
      set: async (...given: Parameters<Overrides['set']>) => {
        if (failing === 'store') throw new Error('no space');
        await overrides.set(...given);
      },
    } as unknown as Overrides,
    lock: new KeyedLock(),
  });
  await byHand.attach(id, [first], choice);
  for (failing of ['attach', 'store']) {
    // The one that it has may be asked for once more.
    await assert.rejects(byHand.attach(id, [first, second], choice), /no link|no space/);
    assert.deepEqual(allocator.owned(id).map(String), [first], failing);
    assert.deepEqual(attached?.cidrs.map(String), [first], failing);
    assert.deepEqual(overrides.get(id)?.cidrs.map(String), [first], failing);
  }
});
