import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { Cluster } from '../../../src/cluster/registration.ts';
import { NameTable } from '../../../src/dns/names.ts';
import { silent } from '../../../src/lib/log.ts';
import type { Ip } from '../../../src/model/address.ts';
import type { PeerEndpoint } from '../../../src/net/overlay/datapath.ts';
import type { RemoteEntry } from '../../../src/net/overlay/forwarding.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { aliveRecord } from '../../../src/store/records/alive.ts';
import { hostRecord } from '../../../src/store/records/host.ts';
import { type Link, LinkKey, linkRecord } from '../../../src/store/records/link.ts';
import type { Entry, Store, Watcher } from '../../../src/store/store.ts';
import { until } from '../../support/host.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-cluster-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

const [here, other, third] = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'] as const;
const id = (digit: string) => digit.repeat(64);
const address = (name: string) => `10.250.0.${name.slice(-1)}` as Ip;

/** Records what the kernel would be told. */
class Kernel {
  readonly vni = 6784;
  readonly publicKey = null;
  readonly entries = new Map<string, RemoteEntry>();
  peers: string[] = [];
  deleted = 0;

  async setPeers(peers: readonly PeerEndpoint[]): Promise<void> {
    this.peers = peers.map(({ name }) => name).sort();
  }
  async resetRemote(entries: Iterable<RemoteEntry>): Promise<void> {
    this.entries.clear();
    for (const entry of entries) this.entries.set(entry.mac, entry);
  }
  async putRemote(entry: RemoteEntry): Promise<void> {
    this.entries.set(entry.mac, entry);
  }
  async deleteRemote(mac: string, peer: string): Promise<void> {
    if (this.entries.get(mac)?.peer !== peer) return;
    this.deleted++;
    this.entries.delete(mac);
  }
  ips(): string[] {
    return [...this.entries.values()]
      .flatMap(({ ips, peer }) => ips.map((ip) => `${ip} ${peer.slice(-1)}`))
      .sort();
  }
}

/** A store whose watchers can be given all anew, as after a gap. */
class Gapped {
  readonly store: Store;
  readonly watchers: { prefix: string; watcher: Watcher }[] = [];
  constructor(store: Store) {
    this.store = store;
  }
  get = (key: string) => this.store.get(key);
  list = (prefix: string) => this.store.list(prefix);
  refused = 0;
  commit: Store['commit'] = async (writes) => {
    const done = await this.store.commit(writes);
    if (!done) this.refused++;
    return done;
  };
  close = () => this.store.close();
  watch: Store['watch'] = (prefix, watcher, signal) => {
    this.watchers.push({ prefix, watcher });
    return this.store.watch(prefix, watcher, signal);
  };
  async reset(without: (entry: Entry) => boolean, continued?: boolean): Promise<void> {
    for (const { prefix, watcher } of this.watchers)
      watcher.reset(
        (await this.list(prefix)).filter((entry) => !without(entry)),
        continued,
      );
  }
}

type Named = { key: string; value: string } | undefined;

function makeCluster(t: TestContext, { grace = 60_000, entry = undefined as Named } = {}) {
  const shared = new Gapped(LmdbStore.open(join(folder, String(count++))));
  const kernel = new Kernel();
  const names = new NameTable();
  const own = new Map<string, Link>();
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    await shared.close();
  });
  const cluster = Cluster.join({
    ...{
      shared,
      datapath: kernel,
      names,
      seal: null,
      version: '1',
      signal: stop.signal,
      logger: silent,
      grace,
    },
    self: { name: here, id: 'here', nickname: 'one', address: address(here) },
    linkOf: (container) => own.get(container),
    owners: () => [...own.keys()],
    claim: { held: true, heard: () => {}, release: () => {}, onRegained: () => {}, ...(entry && { entry }) },
    blocks: { suspend: () => {} },
  });
  const put = (writes: Parameters<Store['commit']>[0]) => shared.commit(writes);
  const host = (name: string) =>
    hostRecord.write(name, {
      id: name,
      nickname: name,
      address: address(name),
      vni: 6784,
      version: '1',
      key: null,
      probes: true,
    });
  const alive = (name: string) => aliveRecord.write(name, { id: name, run: 'r', address: address(name) });
  return { cluster, shared, kernel, names, own, put, host, alive };
}

function linkOf(digit: string, ip: string, name = `c${digit}`): Link {
  const [mac, hostname] = [`06:00:00:00:00:0${digit}`, `${name}.weave.local.`];
  return { mac, ips: [ip], names: [{ hostname, address: ip }] } as unknown as Link;
}
const link = (host: string, digit: string, ip: string) =>
  linkRecord.write(new LinkKey(host, id(digit)), linkOf(digit, ip));

test('a newline in `ips` runs nothing, the address `oops` does no harm, and valid records count', async (t) => {
  const { put, host, alive, kernel, names } = makeCluster(t);
  const bad = (digit: string, ip: string) => link(other, digit, ip);
  await put([host(other), alive(other), bad('1', '10.32.0.9\nlink set lo down'), bad('2', 'oops')]);
  await put([{ key: `link/${other}/${id('3')}`, value: '[]' }, link(other, '4', '10.32.0.4')]);
  await until('the sound one is known', () => kernel.entries.size > 0);
  assert.deepEqual(kernel.ips(), ['10.32.0.4 2']);
  assert.deepEqual(
    names.list().map((record) => record.address),
    ['10.32.0.4'],
  );
  await put([
    { key: `host/${third}`, value: JSON.stringify({ address: '10.250.0.3 dev lo', nickname: 'x' }) },
  ]);
  await put([host(other)]);
  assert.deepEqual(kernel.peers, [other]);
});

test("a host's daemon ends: its names go, its containers stay reachable; they are back with it", async (t) => {
  const { put, host, alive, kernel, names, cluster } = makeCluster(t);
  await put([host(other), alive(other), link(other, '1', '10.32.0.1')]);
  assert.deepEqual(names.addresses('c1.weave.local.'), ['10.32.0.1']);
  await put([aliveRecord.write(other, null)]);
  assert.deepEqual(names.addresses('c1.weave.local.'), []);
  assert.deepEqual(cluster.peers(), []);
  assert.deepEqual([kernel.ips(), kernel.peers, kernel.deleted], [['10.32.0.1 2'], [other], 0]);
  await put([alive(other)]);
  assert.deepEqual(names.addresses('c1.weave.local.'), ['10.32.0.1']);
  await cluster.forget(other);
  assert.deepEqual([kernel.ips(), kernel.peers], [[], []]);
});

test('an address or MAC seen elsewhere has moved: a live host wins, then the latest claim', async (t) => {
  const { put, host, alive, kernel, own, cluster } = makeCluster(t);
  await put([host(other), alive(other), host(third), link(other, '1', '192.168.5.5')]);
  await put([link(third, '2', '192.168.5.5')]);
  assert.deepEqual(kernel.ips(), ['192.168.5.5 2'], 'the daemon of the other does not run');
  await put([alive(third)]);
  assert.deepEqual(kernel.ips(), ['192.168.5.5 3'], 'who said so last');
  await put([aliveRecord.write(third, null)]);
  assert.deepEqual(kernel.ips(), ['192.168.5.5 2']);
  await put([link(third, '1', '192.168.5.6'), alive(third)]);
  assert.deepEqual(kernel.ips(), ['192.168.5.5 3', '192.168.5.6 3'], 'the MAC moved along');
  own.set(id('9'), linkOf('9', '192.168.5.5'));
  cluster.completed();
  await until('it is here', () => kernel.ips().join() === '192.168.5.6 3');
});

test('records the store has lost are put back by their owner, and nobody drops them meanwhile', async (t) => {
  const { put, host, alive, kernel, own, cluster, shared } = makeCluster(t);
  own.set(id('9'), linkOf('9', '10.32.0.9'));
  cluster.completed();
  await put([host(other), alive(other), link(other, '1', '10.32.0.1')]);
  const mine = [hostRecord.keyOf(here), linkRecord.keyOf(new LinkKey(here, id('9')))];
  const there = async () => (await Promise.all(mine.map((key) => shared.get(key)))).every(Boolean);
  await until('this host is registered', there);
  for (const { key } of await shared.list('')) await shared.store.commit([{ key, value: null }]);
  await shared.reset(() => true);
  await until('it has registered anew', there);
  // LMDB told of each deletion, which a store that was set back does not; what only a reset lacks stays.
  await put([host(other), alive(other), link(other, '1', '10.32.0.1')]);
  const before = kernel.deleted;
  await shared.reset(({ key }) => key.includes(other));
  assert.deepEqual([kernel.ips(), kernel.peers, kernel.deleted], [['10.32.0.1 2'], [other], before]);
});

test('records that stay missing are dropped after a while', async (t) => {
  const { put, host, alive, kernel, shared } = makeCluster(t, { grace: 50 });
  await put([host(other), alive(other), link(other, '1', '10.32.0.1')]);
  await shared.reset(({ key }) => key.includes(other));
  await until('it is gone', () => kernel.entries.size === 0 && kernel.peers.length === 0);
});

test('what was deleted during a gap goes at once where the store has lost nothing', async (t) => {
  const { put, host, alive, kernel, shared, names } = makeCluster(t);
  await put([host(other), alive(other), link(other, '1', '10.32.0.1'), link(other, '2', '10.32.0.2')]);
  await shared.reset(({ key }) => key.endsWith(id('1')), true);
  assert.deepEqual(kernel.ips(), ['10.32.0.2 2']);
  assert.deepEqual(
    names.list().map(({ address }) => address),
    ['10.32.0.2'],
  );
});

test("an earlier daemon's link stays until its containers have been checked; stale ones then go", async (t) => {
  const { put, cluster, shared, own } = makeCluster(t);
  const [kept, stale] = [link(here, '1', '10.32.0.1'), link(here, '2', '10.32.0.2')];
  await put([kept, stale]);
  cluster.changed(id('1'));
  cluster.changed(id('2'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await shared.list('link/')).length, 2);
  own.set(id('1'), linkOf('1', '10.32.0.1'));
  const { revision } = (await shared.get(kept.key)) as Entry;
  cluster.completed();
  await until('the stale one is gone', async () => (await shared.list('link/')).length === 1);
  assert.equal((await shared.get(kept.key))?.revision, revision, 'what is right is not written again');
});

test('a start is one message to the others, an end is one, and nothing remains', async (t) => {
  const { cluster, shared, own } = makeCluster(t);
  cluster.completed();
  await until('this host is registered', async () => (await shared.list('host/')).length === 1);
  const before = (await shared.get(hostRecord.keyOf(here)))?.revision ?? 0;
  own.set(id('1'), linkOf('1', '10.32.0.1'));
  cluster.changed(id('1'));
  await until('it is told', async () => (await shared.list('link/')).length === 1);
  cluster.changed(id('1'));
  own.delete(id('1'));
  // Ended, and then removed.
  cluster.changed(id('1'));
  await until('it is gone', async () => (await shared.list('link/')).length === 0);
  cluster.changed(id('1'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await shared.commit([{ key: 'mark', value: '' }]);
  assert.equal((await shared.get('mark'))?.revision, before + 3);
});

test('nothing is written under a name that the store says is not this host', async (t) => {
  const mine = aliveRecord.write(here, { id: 'here', run: 'r', address: address(here) });
  const entry = { key: mine.key, value: mine.value as string };
  const { put, shared, host, cluster, own } = makeCluster(t, { entry });
  cluster.completed();
  // A copy of this machine's disk was launched while etcd was away; the original has the name, and is registered.
  await put([host(here), aliveRecord.write(here, { id: 'other', run: 'o', address: address(other) })]);
  own.set(id('1'), linkOf('1', '10.32.0.1'));
  cluster.changed(id('1'));
  await until('it has tried', () => shared.refused > 1);
  assert.equal((await shared.get(`host/${here}`))?.value, host(here).value);
  assert.deepEqual(await shared.list('link/'), []);
  await put([mine]);
  await until('it is registered', async () => (await shared.list('link/')).length === 1);
});
