import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import type { Allocator } from '../../../src/ipam/allocator.ts';
import { reconcilerWith } from '../../support/reconciler.ts';

test('containers that hang the engine neither stop a sweep nor hide the others', async () => {
  const looked: string[] = [];
  const ids = [...Array.from({ length: 10 }, (_, index) => `hung${index}`), 'good'];
  const reconciler = reconcilerWith({
    engine: {
      list: async () => ids.map((id) => ({ id, name: id, running: true })),
      inspect: (id) => {
        looked.push(id);
        return id === 'good' ? Promise.resolve(undefined) : new Promise<ContainerInfo>(() => {});
      },
      remove: async () => {},
    },
  });
  await reconciler.reconcileAll();
  assert.deepEqual(looked, ids);
});

test('a --rm container that has no address is removed if it was only created, never if it runs', async () => {
  const removed: string[] = [];
  const shim = { source: '/shims/wait', target: '/w' };
  const reconciler = reconcilerWith({
    engine: {
      list: async () => [],
      inspect: async (id) =>
        ({
          id,
          name: id,
          running: id === 'runs',
          autoRemove: true,
          networkMode: 'default',
          env: [],
          labels: {},
          shim,
        }) as unknown as ContainerInfo,
      remove: async (id) => void removed.push(id),
    },
    allocator: {
      owned: () => [],
      request: async () => {
        throw new Error('no free address');
      },
    } as unknown as Allocator,
  });
  for (const id of ['runs', 'created']) await assert.rejects(reconciler.begin(id), /no free address/);
  assert.deepEqual(removed, ['created']);
});
