/**
 * Simulated hosts, hundreds in this process: each with its own connection and lease, its blocks, its addresses, and
 * what it tells the others. They don't listen to one another's containers; views and listeners do that.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { NameClaim } from '../../src/cluster/claim.ts';
import { Cluster } from '../../src/cluster/registration.ts';
import { NameTable } from '../../src/dns/names.ts';
import type { Allocator } from '../../src/ipam/allocator.ts';
import { Blocks } from '../../src/ipam/blocks.ts';
import { eachOf } from '../../src/lib/lock.ts';
import { silent } from '../../src/lib/log.ts';
import type { Hostname } from '../../src/model/names.ts';
import { macOf } from '../../src/net/veth.ts';
import { EtcdStore } from '../../src/store/etcd/etcd.ts';
import type { Link } from '../../src/store/records/link.ts';
import type { Entry, Store, Watcher, Write } from '../../src/store/store.ts';
import { loadAllocator } from '../../test/support/ipam.ts';
import { noDatapath } from '../../test/support/no-datapath.ts';
import { addressOf, hex, peerOf, range } from './made-up.ts';
import { MemoryStore } from './memory-store.ts';
import { now, serve } from './worker.ts';

/**
 * The shared store of a host that counts its writes and doesn't listen: it reads once who owns which addresses, and is
 * told of no change. A thousand that listened would be more than one process can hear.
 */
class Deaf implements Store {
  commits = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#store.get(key);
  }

  list(prefix: string): Promise<Entry[]> {
    return this.#store.list(prefix);
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    const done = await this.#store.commit(writes);
    this.commits++;
    return done;
  }

  async watch(prefix: string, watcher: Watcher): Promise<void> {
    if (prefix === 'block/') watcher.reset(await this.list(prefix));
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

class SimulatedHost {
  readonly deaf: Deaf;
  readonly #allocator: Allocator;
  readonly #cluster: Cluster;
  readonly #links = new Map<string, Link>();

  private constructor(
    deaf: Deaf,
    allocator: Allocator,
    claim: NameClaim,
    number: number,
    signal: AbortSignal,
  ) {
    this.deaf = deaf;
    this.#allocator = allocator;
    this.#cluster = Cluster.join({
      shared: this.deaf,
      datapath: noDatapath,
      names: new NameTable(),
      seal: null,
      claim,
      blocks: undefined,
      version: '0',
      self: {
        name: peerOf(number),
        id: peerOf(number),
        nickname: `host${number}`,
        address: addressOf(number),
      },
      linkOf: (id: string) => this.#links.get(id),
      owners: () => [...this.#links.keys()],
      signal,
      logger: silent,
    });
  }

  static async join(endpoints: string[], number: number, signal: AbortSignal): Promise<SimulatedHost> {
    const [shared, local, peer] = [
      new Deaf(await EtcdStore.connect({ endpoints, leaseSeconds: 60, logger: silent })),
      new MemoryStore(),
      peerOf(number),
    ];
    const blocks = await Blocks.start({
      shared,
      local,
      peer,
      machine: peer,
      conditions: { update: () => {} },
      range,
      signal,
      logger: silent,
      startTimeout: 600_000,
    });
    const allocator = await loadAllocator({ range, store: local, space: blocks });
    blocks.attach(allocator);
    const claim = await NameClaim.take({
      shared,
      name: peer,
      id: peer,
      address: addressOf(number),
      changed: () => {},
      signal,
      logger: silent,
    });
    return new SimulatedHost(shared, allocator, claim, number, signal);
  }

  /** What the daemon does of a start that other hosts come to know. */
  async start(id: string, hostname: string): Promise<void> {
    const { address } = await this.#allocator.allocate(id, range);
    const names = [{ hostname: hostname as Hostname, address }];
    this.#links.set(id, { mac: macOf(id), ips: [address], names });
    this.#cluster.changed(id);
  }

  async stop(id: string): Promise<void> {
    await this.#allocator.release(id);
    this.#links.delete(id);
    this.#cluster.changed(id);
  }
}

const ending = new AbortController();
setMaxListeners(0, ending.signal);
const hosts: SimulatedHost[] = [];
let first = 0;

const committed = () => hosts.reduce((sum, { deaf }) => sum + deaf.commits, 0);

async function untilCommitted(count: number): Promise<void> {
  while (committed() < count) await delay(5);
}

serve({
  /** So many hosts, `width` at a time. @returns s until each has registered and owns a block */
  join: async (asked: { endpoints: string[]; first: number; count: number; width: number }) => {
    const began = now();
    first = asked.first;
    const numbers = Array.from({ length: asked.count }, (_, i) => first + i);
    await eachOf(numbers, asked.width, async (number) => {
      hosts.push(await SimulatedHost.join(asked.endpoints, number, ending.signal));
    });
    await untilCommitted(asked.count);
    return (now() - began) / 1000;
  },
  /** Starts so many containers on each host. @returns s until all are in etcd */
  fill: async (each: number) => {
    const began = now();
    const before = committed();
    for (let i = 0; i < each; i++) {
      await Promise.all(
        hosts.map((host, h) => host.start(hex(first + h, i), `app${first + h}-${i}.weave.local.`)),
      );
      await untilCommitted(before + (i + 1) * hosts.length);
    }
    return (now() - began) / 1000;
  },
  /** Containers come and go; the name tells when. @returns number of starts, and of commits */
  churn: async ({ rate, seconds }: { rate: number; seconds: number }) => {
    const before = committed();
    const began = now();
    let started = 0;
    for (let end = began + seconds * 1000; now() < end; await delay(10)) {
      for (; started < ((now() - began) / 1000) * rate; started++) {
        const host = hosts[started % hosts.length] as SimulatedHost;
        const id = hex(1_000_000 + first, started);
        await host.start(id, `t${now()}-${started}.weave.local.`);
        if (started >= 50)
          await hosts[(started - 50) % hosts.length]?.stop(hex(1_000_000 + first, started - 50));
      }
    }
    return { started, commits: committed() - before };
  },
});
