/** Addresses after etcd was set back to a snapshot: a real etcd, and hosts as far as addresses go. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { Allocator } from '../../../src/ipam/allocator.ts';
import { Blocks } from '../../../src/ipam/blocks.ts';
import { hasCode } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr, formatIp, type Ip } from '../../../src/model/address.ts';
import { EtcdStore } from '../../../src/store/etcd/etcd.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { aliveRecord } from '../../../src/store/records/alive.ts';
import { Etcd } from '../../support/etcd.ts';
import { until } from '../../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-restored-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

/** 16 addresses are a block. */
const range = Cidr.parse('10.32.0.0/24');

class Host {
  readonly shared: EtcdStore;
  readonly allocator: Allocator;
  readonly conditions: ReadonlyMap<string, string>;
  readonly #endpoints: string[];

  private constructor(
    shared: EtcdStore,
    allocator: Allocator,
    conditions: ReadonlyMap<string, string>,
    endpoints: string[],
  ) {
    this.shared = shared;
    this.allocator = allocator;
    this.conditions = conditions;
    this.#endpoints = endpoints;
  }

  static async start(t: TestContext, { endpoints }: Etcd, peer: string, askTimeout = 2_000): Promise<Host> {
    const shared = await EtcdStore.connect({ endpoints, leaseSeconds: 2, logger: silent });
    const local = LmdbStore.open(join(folder, String(count++)));
    const stop = new AbortController();
    t.after(async () => {
      stop.abort();
      await shared.close();
      await local.close();
    });
    const conditions = new Map<string, string>();
    const update = (code: string, text: string | undefined, about = '') =>
      void (text === undefined ? conditions.delete(code + about) : conditions.set(code + about, text));
    const holder = { id: peer, run: peer, address: '10.250.0.1' as Ip };
    const alive = aliveRecord.write(peer, holder, { leased: true });
    await until(`${peer} is alive`, () => shared.commit([alive]).catch(() => false));
    const blocks = await Blocks.start({
      shared,
      local,
      peer,
      machine: peer,
      range,
      conditions: { update },
      signal: stop.signal,
      logger: silent,
      quarantine: 4_000,
      maintainInterval: 1_000,
      askTimeout,
    });
    const fields = { range, defaultSubnet: range, store: local, space: blocks, logger: silent };
    const allocator = await Allocator.load(fields);
    blocks.attach(allocator);
    return new Host(shared, allocator, conditions, endpoints);
  }

  /** Takes the lowest free address; waits while the cluster can't give any. */
  async give(owner: string): Promise<string> {
    let given: Cidr | undefined;
    await whenItCan(`${owner} has an address`, async () => {
      given = await this.allocator.allocate(owner, range);
    });
    return given?.address ?? '';
  }

  claim(owner: string, address: string): Promise<void> {
    return whenItCan(`${owner} has ${address}`, () =>
      this.allocator.claim(owner, Cidr.parse(`${address}/24`)),
    );
  }

  cut(): void {
    this.shared.setEndpoints(['http://127.0.0.1:1']);
  }

  heal(): void {
    this.shared.setEndpoints(this.#endpoints);
  }

  get held(): number[] {
    return this.allocator.owners().flatMap((owner) => this.allocator.owned(owner).map(({ ip }) => ip));
  }
}

/** Does it once the cluster lets it. */
const whenItCan = (what: string, deed: () => Promise<unknown>) =>
  until(what, () =>
    deed().then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, 'STORE_UNAVAILABLE')) return false;
        throw error;
      },
    ),
  );

async function snapshot(etcd: Etcd): Promise<string> {
  const path = join(folder, `snapshot-${count++}`);
  await etcd.ctl('snapshot', 'save', path);
  return path;
}

async function setBack(etcd: Etcd, path: string): Promise<void> {
  await etcd.kill('SIGKILL');
  await etcd.restore(path);
  etcd.launch();
  await etcd.healthy();
}

/** Every host gives as many as will make all take blocks of others, if those let them. */
async function giveMany(hosts: readonly Host[], each: number): Promise<void> {
  const giving = hosts.map(async (host, h) => {
    for (let i = 0; i < each; i++) await host.give(`many-${h}-${i}`);
  });
  await Promise.all(giving);
}

function assertNoneTwice(hosts: readonly Host[]): void {
  const all = hosts.flatMap(({ held }) => held).map(formatIp);
  const twice = all.filter((address, i) => all.indexOf(address) !== i);
  assert.deepEqual(twice, []);
}

test('etcd is set back to before a host gave addresses away: their users keep them', async (t) => {
  await using etcd = await Etcd.start();
  const a = await Host.start(t, etcd, 'a');
  assert.equal(await a.give('a1'), '10.32.0.1');
  const b = await Host.start(t, etcd, 'b');
  const path = await snapshot(etcd);
  await b.claim('b5', '10.32.0.5');
  await b.claim('b6', '10.32.0.6');
  await setBack(etcd, path);
  await giveMany([a, b], 40);
  assertNoneTwice([a, b]);
  await until('nothing is wrong', () => a.conditions.size + b.conditions.size === 0);
});

test('etcd is set back to before a host took a block: no other takes it, though the host is cut off', async (t) => {
  await using etcd = await Etcd.start();
  const [a, b] = [await Host.start(t, etcd, 'a'), await Host.start(t, etcd, 'b')];
  const path = await snapshot(etcd);
  const c = await Host.start(t, etcd, 'c');
  const before = [await c.give('c1'), await c.give('c2')];
  await until('all have heard', async () =>
    (await a.shared.list('block/').catch(() => [])).some(({ value }) => value.includes('c')),
  );
  await a.give('a1');
  c.cut();
  await setBack(etcd, path);
  await giveMany([a, b], 60);
  c.heal();
  await giveMany([a, b, c], 62);
  assertNoneTwice([a, b, c]);
  assert.deepEqual([await c.give('c1'), await c.give('c2')], before);
});

test('a host that joins while the others report theirs takes none of it', async (t) => {
  await using etcd = await Etcd.start();
  const a = await Host.start(t, etcd, 'a');
  const path = await snapshot(etcd);
  await giveMany([a], 40);
  await setBack(etcd, path);
  await until('it has noticed', () => a.conditions.has('STORE_SET_BACK'));
  const b = await Host.start(t, etcd, 'b');
  await giveMany([a, b], 60);
  assertNoneTwice([a, b]);
});

test('an address that nobody could know of is claimed again, or reported as used twice', async (t) => {
  await using etcd = await Etcd.start();
  const path = await snapshot(etcd);
  const a = await Host.start(t, etcd, 'a');
  for (let i = 1; i < 20; i++) await a.give(`a${i}`);
  a.cut();
  // Nothing is left of the cluster, and nobody remembers.
  await setBack(etcd, path);
  const b = await Host.start(t, etcd, 'b');
  assert.equal(await b.give('b1'), '10.32.0.1');
  a.heal();
  await until('it is said', () => a.conditions.has('ADDRESS_TWICE10.32.0.1'));
  await until('nothing else is said', () => a.conditions.size === 1);
  await b.allocator.release('b1');
  await until('it has it back', () => a.conditions.size === 0);
  await giveMany([a, b], 60);
  assertNoneTwice([a, b]);
});
