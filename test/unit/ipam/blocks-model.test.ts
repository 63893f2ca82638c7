import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { Allocator } from '../../../src/ipam/allocator.ts';
import { Blocks } from '../../../src/ipam/blocks.ts';
import { keyCell, parseCell } from '../../../src/ipam/grid.ts';
import { Cidr, formatIp } from '../../../src/lib/cidr.ts';
import { hasCode } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { Rows, randomOf, View } from './blocks-cluster.ts';

/** A host that can crash and come back with what it had on disk. */
class Host {
  readonly name: string;
  readonly #range: Cidr;
  readonly #shared: Rows;
  readonly #disk = new Rows();
  readonly #random: (n: number) => number;
  #stop = new AbortController();
  shared!: View;
  #local!: View;
  blocks!: Blocks;
  allocator!: Allocator;
  owners: string[] = [];
  /** What was asked of it and has not ended; after a crash it never does. */
  pending: Promise<unknown>[] = [];

  constructor(name: string, range: Cidr, shared: Rows, random: (n: number) => number) {
    this.name = name;
    this.#range = range;
    this.#shared = shared;
    this.#random = random;
  }

  async start(cut = false): Promise<void> {
    this.#stop = new AbortController();
    this.shared = new View(this.#shared, this.#random);
    this.shared.cut = cut;
    this.#local = new View(this.#disk, this.#random);
    const starting = Blocks.start({
      ...{ shared: this.shared, local: this.#local, peer: this.name, range: this.#range },
      ...{ signal: this.#stop.signal, logger: silent, tendInterval: 7, startTimeout: 20 },
    });
    this.blocks = await starting;
    this.allocator = await Allocator.load({
      ...{ range: this.#range, defaultSubnet: this.#range },
      ...{ store: this.#local, space: this.blocks },
    });
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

  /** Addresses of which this host thinks that it may give them. */
  own(): number[] {
    return this.blocks
      .ranges(this.#range)
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  }

  /** The same, were it to start anew now. */
  onDisk(): number[] {
    return this.#disk
      .list('block/')
      .flatMap(({ key, value }) => parseCell(keyCell(key), value))
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
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
  prefix: fc.constantFrom(28, 27, 22),
  steps: fc.array(
    fc.record({
      action: fc.constantFrom(...actions),
      host: fc.nat(2),
      pick: fc.nat(1023),
      settle: fc.boolean(),
    }),
    { minLength: 10, maxLength: 60 },
  ),
});

test('never an address twice, whatever fails; and all can be used in the end', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ seed, prefix, steps }) => {
      const range = Cidr.parse(`10.32.0.0/${prefix}`);
      const random = randomOf(seed);
      const rows = new Rows();
      const hosts = ['a', 'b', 'c'].map((name) => new Host(name, range, rows, random));
      const check = () => {
        assertDisjoint(
          'owned',
          hosts.map((host) => host.own()),
        );
        assertDisjoint(
          'on disk',
          hosts.map((host) => host.onDisk()),
        );
        for (const host of hosts) {
          const own = new Set(host.own());
          for (const ip of host.held()) assert.ok(own.has(ip), `${formatIp(ip)} held, but not owned`);
        }
      };
      await Promise.all(hosts.map((host) => host.start()));
      let count = 0;
      for (const { action, host: index, pick, settle } of steps) {
        const host = hosts[index] as Host;
        let done: Promise<unknown> = Promise.resolve();
        if (action === 'allocate') {
          const owners = Array.from({ length: 1 + (pick % 4) }, () => `${host.name}${count++}`);
          host.owners.push(...owners);
          done = Promise.all(owners.map((owner) => host.allocator.allocate(owner, range).then(check)));
        } else if (action === 'claim') {
          const ip = new Cidr(range.first + 1 + (pick % (range.size - 2)), range.prefix);
          const owner = `${host.name}${count++}`;
          host.owners.push(owner);
          done = host.allocator.claim(owner, ip).then(check);
        } else if (action === 'release') {
          const [owner] = host.owners.splice(pick % Math.max(host.owners.length, 1), 1);
          if (owner !== undefined) done = host.allocator.release(owner);
        } else if (action === 'cut') host.shared.cut = true;
        else if (action === 'heal') host.shared.heal();
        else if (action === 'crash') {
          host.crash();
          await host.start(host.shared.cut);
        } else done = delay(pick % 15);
        const failing = done.catch((error: unknown) => {
          const known = ['STORE_UNAVAILABLE', 'IPAM_FULL', 'IPAM_CONFLICT'] as const;
          if (!known.some((code) => hasCode(error, code))) throw error;
        });
        if (action !== 'crash') host.pending.push(failing);
        if (settle) await Promise.race([failing, delay(50)]);
        check();
      }
      for (const host of hosts) host.shared.heal();
      await Promise.all(hosts.flatMap((host) => host.pending));
      await delay(20);
      check();
      // Healed: one host can get whatever nobody holds.
      const last = hosts[0] as Host;
      const free = range.size - 2 - hosts.flatMap((host) => host.held()).length;
      for (let i = 0; i < free; i++) await last.allocator.allocate(`last${i}`, range);
      await assert.rejects(last.allocator.allocate('one more', range), (e) => hasCode(e, 'IPAM_FULL'));
      check();
      for (const host of hosts) host.crash();
    }),
    // Timers take part, so a shorter failing run can hardly be found.
    { numRuns: 60, endOnFailure: true, includeErrorInReport: true },
  );
});
