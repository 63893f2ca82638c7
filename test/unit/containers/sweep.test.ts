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

type Deps = ConstructorParameters<typeof Reconciler>[0];

/** One among stand-ins that have nothing and refuse nothing. */
function reconcilerWith(deps: Pick<Deps, 'engine'> & Partial<Deps>): Reconciler {
  return new Reconciler({
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
    ...deps,
  });
}

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
  const shim = { source: '/nowhere/wait', target: '/w' };
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
