import type { Attachments } from '../../src/containers/attachments.ts';
import type { Overrides } from '../../src/containers/overrides.ts';
import { Reconciler } from '../../src/containers/reconciler.ts';
import { StartWatch } from '../../src/containers/start-watch.ts';
import type { Allocator } from '../../src/ipam/allocator.ts';
import { KeyedLock } from '../../src/lib/lock.ts';
import { silent } from '../../src/lib/log.ts';

type Deps = ConstructorParameters<typeof Reconciler>[0];

/** A reconciler among stand-ins that have nothing and refuse nothing. */
export function reconcilerWith(deps: Pick<Deps, 'engine'> & Partial<Deps>): Reconciler {
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
      shimRoot: '/shims',
    },
    logger: silent,
    ...deps,
  });
}
