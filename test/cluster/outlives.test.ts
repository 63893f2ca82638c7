import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { Etcd } from '../support/etcd.ts';
import { Host, Underlay, until } from '../support/host.ts';
import { crash, etcdOn, known, launch, lookup, pings, reportOf, start, storeOf } from './lab.ts';

let underlay: Underlay;
let etcd: Etcd;
let store: string;
const hosts: Host[] = [];
const host = (number: number) => hosts[number - 1] as Host;

before(async () => {
  underlay = await Underlay.create();
  for (const number of [1, 2]) hosts.push(await Host.create({ underlay, number, name: `host${number}` }));
  etcd = await etcdOn(underlay);
  store = storeOf(etcd);
  for (const on of hosts) await launch(on, '--store', store);
});
after(async () => {
  await etcd?.[Symbol.asyncDispose]();
  for (const on of hosts) await on[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

/** Five pings a second out of a container, each of them accounted for. */
class Pinging implements AsyncDisposable {
  readonly #child: ChildProcess;
  #answered = new Set<number>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('no stdout');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const number = /bytes from .* seq=(\d+)/.exec(line)?.[1];
      if (number !== undefined) this.#answered.add(Number(number) + 1);
    });
  }

  static async start(on: Host, container: string, address: string): Promise<Pinging> {
    const pid = await on.docker('inspect', '-f', '{{.State.Pid}}', container);
    const argv = ['nsenter', '-n', '-t', pid.trim(), 'busybox', 'ping', '-i', '0.2', address];
    const pinging = new Pinging(on.spawn(argv));
    await pinging.answers(3);
    return pinging;
  }

  /** Waits for so many further answers. */
  async answers(count: number): Promise<void> {
    const last = this.#last + count;
    await until(`ping ${last} is answered`, () => this.#last >= last, 60_000);
  }

  /** How many were sent up to an answered one, and which of them were not answered. */
  async count(): Promise<{ sent: number; lost: number[] }> {
    await this.answers(5);
    const sent = this.#last - 4;
    const lost = Array.from({ length: sent }, (_, i) => i + 1).filter((n) => !this.#answered.has(n));
    return { sent, lost };
  }

  get #last(): number {
    return Math.max(0, ...this.#answered);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}

/** A host's kernel entries for the other hosts. */
const entries = async (on: Host) =>
  (await on.runOk(['bridge', 'fdb', 'show', 'dev', 'vxlan-6784']))
    .split('\n')
    .filter((line) => line.includes('dst'));

const warnings = async (on: Host) =>
  (await on.shell('grep -h MaxListenersExceeded /var/log/weavets.log*')).stdout;

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));

test('stop, kill -9, launch again and losing etcd longer than a lease cost no packet between hosts', async (t) => {
  const one = await start(host(1), 'one');
  const two = await start(host(2), 'two');
  await known(hosts, 'one', one);
  await known(hosts, 'two', two);
  await using there = await Pinging.start(host(1), 'one', two);
  await using back = await Pinging.start(host(2), 'two', one);
  const nothingLost = async (what: string) => {
    for (const pinging of [there, back]) {
      const { sent, lost } = await pinging.count();
      t.diagnostic(`${what}: ${lost.length} of ${sent} lost`);
      assert.deepEqual(lost, [], what);
    }
  };

  assert.equal((await host(2).weavets('stop')).code, 0);
  await known([host(1)], 'two', '');
  // Longer than a lease.
  await seconds(12);
  await nothingLost('stopped');
  await until(
    'its daemon is known to be away',
    async () => (await reportOf(host(1))).Router.Peers.length === 1,
  );

  await launch(host(2), '--store', store);
  await known([host(1)], 'two', two);
  await nothingLost('launched again');

  await crash(host(2));
  await known([host(1)], 'two', '');
  await nothingLost('killed');
  await launch(host(2), '--store', store);
  await known([host(1)], 'two', two);
  await nothingLost('launched after kill -9');

  await etcd.kill('SIGKILL');
  await seconds(15);
  await nothingLost('etcd away');
  await crash(host(1));
  await launch(host(1), '--store', store);
  await nothingLost('launched while etcd is away');
  etcd.launch();
  await etcd.healthy();
  await until('it is connected', async () => (await lookup(host(1), 'two')) === two, 60_000);
  await nothingLost('etcd back');
  for (const on of hosts) assert.equal(await warnings(on), '', 'warnings of Node in the log');
});

test("rmpeer says when it will work, and --force does it now; the others drop the host's entries", async () => {
  const two = await lookup(host(1), 'two');
  await crash(host(2));
  const refused = await host(1).weavets('rmpeer', 'host2');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /try again in 10 s, or use --force/);
  assert.notDeepEqual(await entries(host(1)), []);
  const forced = await host(1).weavets('rmpeer', '--force', 'host2');
  assert.match(forced.stdout, /^[1-9]\d* IPs taken over from host2$/m);
  await until('its entries are gone', async () => (await entries(host(1))).length === 0);
  await known([host(1)], 'two', '');

  await launch(host(2), '--store', store);
  await known([host(1)], 'two', two);
  await until('it is reached again', () => pings(host(1), 'one', 'two'));
});

test("reset makes a host leave; the last one removes the cluster's settings", async () => {
  const range = ['--store', store, '--ipalloc-range', '10.128.0.0/12'];
  assert.equal((await host(2).weavets('reset')).code, 0);
  await until('the other has dropped it', async () => (await entries(host(1))).length === 0);
  assert.match((await host(2).weavets('launch', ...range)).stderr, /uses the address range 10\.32\.0\.0\/12/);

  // The last one is stopped first: then reset has only what was kept on disk.
  assert.equal((await host(1).weavets('stop')).code, 0);
  const reset = await host(1).weavets('reset');
  assert.deepEqual([reset.code, reset.stderr], [0, '']);
  assert.equal(await etcd.ctl('get', '--prefix', '--keys-only', '/weavets/'), '');
  for (const on of hosts) await launch(on, ...range);
  const addresses = await Promise.all(hosts.map((on, i) => start(on, `new${i}`)));
  for (const address of addresses) assert.match(address, /^10\.1(2[89]|3\d|4[0-3])\./);
  await known(hosts, 'new1', addresses[1] as string);
  await until('they reach each other', () => pings(host(1), 'new0', 'new1'));
});
