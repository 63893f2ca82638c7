import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Allocator } from '../../../src/ipam/allocator.ts';
import { Blocks } from '../../../src/ipam/blocks.ts';
import { cellKey, keyCell, parseCell } from '../../../src/ipam/grid.ts';
import { hasCode } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr, formatIp } from '../../../src/model/address.ts';
import { changesOf } from '../../../src/store/store.ts';
import { loadAllocator } from '../../support/ipam.ts';
import { Rows, randomOf, View } from './blocks-cluster.ts';

/** A host that can crash and come back with its disk. */
class Host {
  readonly name: string;
  readonly #range: Cidr;
  readonly #shared: Rows;
  readonly #disk = new Rows();
  readonly #random: (n: number) => number;
  #stop = new AbortController();
  #seen = { revision: 0, ips: [] as number[] };
  shared!: View;
  #local!: View;
  blocks!: Blocks;
  allocator!: Allocator;
  owners: string[] = [];
  /** Pending requests; after a crash they never end. */
  pending: Promise<unknown>[] = [];

  constructor(name: string, range: Cidr, shared: Rows, random: (n: number) => number) {
    this.name = name;
    this.#range = range;
    this.#shared = shared;
    this.#random = random;
  }

  async start({ cut = false, maintainInterval = 3 } = {}): Promise<void> {
    this.#stop = new AbortController();
    this.shared = new View(this.#shared, this.#random);
    this.shared.cut = cut;
    this.#local = new View(this.#disk, this.#random);
    this.#local.flaky = false;
    const starting = Blocks.start({
      shared: this.shared,
      local: this.#local,
      peer: this.name,
      machine: this.name,
      conditions: { update: () => {} },
      quarantine: 20,
      range: this.#range,
      signal: this.#stop.signal,
      logger: silent,
      maintainInterval,
      startTimeout: 20,
    });
    this.blocks = await starting;
    this.allocator = await loadAllocator({ range: this.#range, store: this.#local, space: this.blocks });
    this.blocks.attach(this.allocator);
    this.owners = this.allocator.owners();
  }

  crash(): void {
    this.#stop.abort();
    this.pending = [];
    for (const view of [this.shared, this.#local]) {
      view.dead = true;
      void view.close();
    }
  }

  /** Addresses that this host believes it may allocate. */
  own(): number[] {
    return this.blocks
      .ranges(this.#range)
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  }

  /** The same, if it restarted now. */
  onDisk(): number[] {
    if (this.#seen.revision === this.#disk.revision) return this.#seen.ips;
    const ips = this.#disk
      .list('block/')
      .flatMap(({ key, value }) => parseCell(keyCell(key) ?? 0, value))
      .filter(({ peer }) => peer === this.name)
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    this.#seen = { revision: this.#disk.revision, ips };
    return ips;
  }

  held(): number[] {
    return this.allocator.owners().flatMap((owner) => this.allocator.owned(owner).map(({ ip }) => ip));
  }
}

function assertDisjoint(what: string, sets: number[][]): void {
  const seen = new Set<number>();
  for (const ip of sets.flat()) {
    assert.ok(!seen.has(ip), `${what}: ${formatIp(ip)} twice`);
    seen.add(ip);
  }
}

const actions = [
  'allocate',
  'allocate',
  'allocate',
  'release',
  'claim',
  'cut',
  'heal',
  'crash',
  'wait',
] as const;

const runs = fc.record({
  seed: fc.nat(),
  prefix: fc.constantFrom(28, 28, 28, 27, 23, 27, 27, 27, 27, 28),
  steps: fc.array(
    fc.record({
      action: fc.constantFrom(...actions),
      host: fc.nat(2),
      pick: fc.nat(511),
      settle: fc.nat(3),
    }),
    { minLength: 10, maxLength: 100 },
  ),
});

type Step = { action: (typeof actions)[number]; host: number; pick: number; settle: number };

/** Three hosts, and what must hold of them at every moment. */
class Cluster {
  readonly range: Cidr;
  readonly hosts: Host[];
  #count = 0;
  #watched = true;
  readonly #rows = new Rows();

  constructor(seed: number, prefix: number) {
    this.range = Cidr.parse(`10.32.0.0/${prefix}`);
    const random = randomOf(seed);
    this.hosts = ['a', 'b', 'c'].map((name) => new Host(name, this.range, this.#rows, random));
  }

  check(): void {
    const owned = this.hosts.map((host) => host.own());
    assertDisjoint('owned', owned);
    assertDisjoint(
      'on disk',
      this.hosts.map((host) => host.onDisk()),
    );
    for (const [i, host] of this.hosts.entries()) {
      const own = new Set(owned[i]);
      for (const ip of host.held()) assert.ok(own.has(ip), `${formatIp(ip)} held, but not owned`);
    }
  }

  /** Checks in every turn of the event loop while `task` runs. */
  async watch(task: () => Promise<void>): Promise<void> {
    const looking = (async () => {
      while (this.#watched) {
        this.check();
        await turn();
      }
    })();
    const ended = task().finally(() => {
      this.#watched = false;
      for (const host of this.hosts) host.crash();
    });
    await Promise.all([looking, ended]);
  }

  async step({ action, host: index, pick, settle }: Step): Promise<void> {
    const host = this.hosts[index] as Host;
    if (action === 'crash') {
      host.crash();
      await host.start({ cut: host.shared.cut });
      return;
    }
    const known = ['STORE_UNAVAILABLE', 'IPAM_FULL', 'IPAM_CONFLICT'] as const;
    const done = this.#act(action, host, pick).catch((error: unknown) => {
      if (!known.some((code) => hasCode(error, code))) throw error;
    });
    host.pending.push(done);
    if (settle === 0) await Promise.race([done, delay(50)]);
    else await turn();
  }

  async #act(action: Step['action'], host: Host, pick: number): Promise<unknown> {
    const newOwner = () => {
      const owner = `${host.name}${this.#count++}`;
      host.owners.push(owner);
      return owner;
    };
    if (action === 'allocate') {
      const owners = Array.from({ length: 1 + (pick % 4) }, newOwner);
      // All have ended when this does, though one fails: what is free in the end is counted then.
      const given = await Promise.allSettled(
        owners.map((owner) => host.allocator.allocate(owner, this.range)),
      );
      for (const result of given) if (result.status === 'rejected') throw result.reason;
      return undefined;
    }
    if (action === 'claim') {
      const ip = this.range.first + 1 + (pick % (this.range.size - 2));
      return host.allocator.claim(newOwner(), new Cidr(ip, this.range.prefix));
    }
    if (action === 'release') {
      const [owner] = host.owners.splice(pick % Math.max(host.owners.length, 1), 1);
      return owner !== undefined && host.allocator.release(owner);
    }
    if (action === 'cut') host.shared.cut = true;
    else if (action === 'heal') host.shared.heal();
    else await delay(pick % 15);
    return undefined;
  }

  /** Everything works again: one host can get whatever nobody holds, and no more. */
  async drain(): Promise<void> {
    for (const host of this.hosts) {
      host.shared.flaky = false;
      host.shared.heal();
    }
    await Promise.all(this.hosts.flatMap((host) => host.pending));
    // Commits that were given up may yet be done: only then is it known what is free.
    while (this.#rows.late > 0) await turn();
    const { allocator } = this.hosts[0] as Host;
    const free = this.range.size - 2 - this.hosts.flatMap((host) => host.held()).length;
    for (let i = 0; i < free; i++) await allocator.allocate(`last${i}`, this.range);
    await assert.rejects(allocator.allocate('one more', this.range), (e) => hasCode(e, 'IPAM_FULL'));
  }
}

test('no address is ever given twice, whatever fails; and in the end all can be used', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ seed, prefix, steps }) => {
      const cluster = new Cluster(seed, prefix);
      await Promise.all(cluster.hosts.map((host) => host.start()));
      await cluster.watch(async () => {
        for (const step of steps) await cluster.step(step);
        await cluster.drain();
      });
    }),
    // Timers take part, so a shorter failing run can hardly be found.
    { numRuns: 50, endOnFailure: true, includeErrorInReport: true },
  );
});

test('where one owner cannot be asked, what another gives is waited for and used', async (t) => {
  const range = Cidr.parse('10.32.0.0/28');
  const rows = new Rows();
  rows.apply([{ key: cellKey(range.first), value: '{"0-7":"a","8-15":"b"}' }]);
  const hosts = ['a', 'b', 'c'].map((name) => new Host(name, range, rows, randomOf(1)));
  t.after(() => hosts.forEach((host) => void host.crash()));
  for (const host of hosts) {
    await host.start({ maintainInterval: 60_000 });
    host.shared.flaky = false;
  }
  const [, b, c] = hosts as [Host, Host, Host];
  assert.deepEqual(c.own(), []);
  const { shared } = c;
  const commit = shared.commit.bind(shared);
  shared.commit = async (writes) => {
    if (changesOf(writes).some(({ key }) => key.startsWith('want/a/'))) throw new Error('not now');
    return commit(writes);
  };
  assert.equal(await c.blocks.grow(range), true);
  assert.equal(b.own().length, 4);
  // With nothing left there it is not known that there is none.
  for (let i = 0; i < 4; i++) await b.allocator.allocate(`b${i}`, range);
  await assert.rejects(async () => {
    for (let i = 0; ; i++) await c.allocator.allocate(`c${i}`, range);
  }, /not now/);
});
