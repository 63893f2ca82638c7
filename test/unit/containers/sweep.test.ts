import assert from 'node:assert/strict';
import test from 'node:test';
import type { Attachments } from '../../../src/containers/attachments.ts';
import type { Overrides } from '../../../src/containers/overrides.ts';
import { Reconciler } from '../../../src/containers/reconciler.ts';
import { StartWatch } from '../../../src/containers/start-watch.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import type { Allocator } from '../../../src/ipam/allocator.ts';
import { KeyedLock } from '../../../src/lib/lock.ts';
import { silent } from '../../../src/lib/log.ts';

test('containers that hang the engine neither stop a sweep nor hide the others', async () => {
  const looked: string[] = [];
  const ids = [...Array.from({ length: 10 }, (_, index) => `hung${index}`), 'good'];
  const reconciler = new Reconciler({
    engine: {
      list: async () => ids.map((id) => ({ id, name: id, running: true })),
      inspect: (id) => {
        looked.push(id);
        return id === 'good' ? Promise.resolve(undefined) : new Promise<ContainerInfo>(() => {});
      },
      remove: async () => {},
    },
    allocator: { owners: () => [], release: async () => [] } as unknown as Allocator,
    attachments: {
      owners: () => [],
      get: () => undefined,
      holds: () => false,
      ended: async () => {},
    } as unknown as Attachments,
    overrides: { owners: () => [], get: () => undefined, delete: async () => {} } as unknown as Overrides,
    made: { owners: () => [], delete: async () => {} },
    naming: { owners: () => [], running: async () => {} },
    created: { owners: async () => [], delete: async () => {} },
    lock: new KeyedLock(),
    history: { add: () => {} },
    startWatch: new StartWatch({ tasks: [], runtimes: [] }),
    options: {
      defaultIpalloc: true,
      attachUserNetworks: false,
      multicastRoute: true,
      rewriteHosts: true,
      shimRoot: '/nowhere',
    },
    logger: silent,
  });
  await reconciler.reconcileAll();
  assert.deepEqual(looked, ids);
});
