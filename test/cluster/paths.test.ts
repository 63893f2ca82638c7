import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PathHealth } from '../../src/model/path-health.ts';
import type { Etcd } from '../support/etcd.ts';
import { Host, Underlay, until } from '../support/host.ts';
import { crash, etcdOn, known, launch, reportOf, start, storeOf } from './lab.ts';

let underlay: Underlay;
let etcd: Etcd;
let store: string;
const hosts: Host[] = [];
const [host1, host2] = [() => hosts[0] as Host, () => hosts[1] as Host];

before(async () => {
  underlay = await Underlay.create();
  for (const number of [1, 2]) hosts.push(await Host.create({ underlay, number, name: `host${number}` }));
  etcd = await etcdOn(underlay);
  store = storeOf(etcd);
  for (const on of hosts) {
    // As on a wire: else the rules below would see several segments as one large packet.
    await on.runOk(['ethtool', '-K', 'eth0', 'gso', 'off', 'tso', 'off']);
    await launch(on, '--store', store);
  }
});
after(async () => {
  await etcd?.[Symbol.asyncDispose]();
  for (const on of hosts) await on[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

/** What a host says of the way to the other. */
const path = async (on: Host): Promise<PathHealth | undefined> => (await reportOf(on)).Paths[0];

const connections = async (on: Host) => (await on.weavets('status', 'connections')).stdout;

const conditions = async (on: Host) => (await reportOf(on)).Conditions.map(({ Code }) => Code);

const metric = async (on: Host, name: string) => {
  const text = await on.runOk(['curl', '-sf', 'http://127.0.0.1:6782/metrics']);
  const values = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return values.map((line) => Number(line.split(' ').at(-1)));
};

const inside = async (on: Host, container: string, ...argv: string[]) => {
  const pid = await on.docker('inspect', '-f', '{{.State.Pid}}', container);
  return ['nsenter', '-n', '-t', pid.trim(), ...argv];
};

const pingsLarge = async (on: Host, from: string, to: string) =>
  (await on.run(['docker', 'exec', from, 'ping', '-s', '10000', '-c', '1', '-W', '2', to])).code === 0;
const largePasses = (on: Host, from: string, to: string) =>
  until('a large ping passes', () => pingsLarge(on, from, to));

/** Waits until the connections are shown so. On a busy machine some of the probes are late, and count as lost. */
const shown = async (on: Host, form: RegExp) => {
  let last = '';
  await until(`the connections match ${form}`, async () => {
    last = await connections(on);
    return form.test(last);
  }).catch((error: Error) => assert.fail(`${error.message}; they are ${last}`));
};

/** Waits until a metric has these values. */
const measures = async (on: Host, name: string, values: readonly number[]) => {
  let last: number[] = [];
  await until(`${name} is ${values}`, async () => {
    last = await metric(on, name);
    return last.join() === values.join();
  }).catch((error: Error) => assert.fail(`${error.message}; it is ${last}`));
};

/** Sends zeros by TCP from a container on host 1 to one on host 2. @returns bytes that arrived */
async function transfer(address: string, bytes: number): Promise<number> {
  const listen = 'timeout 200 socat -u TCP-LISTEN:7000,reuseaddr STDOUT | wc -c';
  const received = host2().runOk(await inside(host2(), 'two', 'sh', '-c', listen));
  const to = `TCP:${address}:7000,retry=600,interval=0.1`;
  const send = `head -c ${bytes} /dev/zero | timeout 200 socat -u STDIN ${to}`;
  await host1().runOk(await inside(host1(), 'one', 'sh', '-c', send));
  return Number(await received);
}

/** Drops what comes in by VXLAN and is larger. */
const narrow = (bytes: number) =>
  host2().runOk([
    ...['nft', 'add table ip narrow; add chain ip narrow in { type filter hook prerouting priority -300; };'],
    `add rule ip narrow in udp dport 6784 ip length > ${bytes} drop`,
  ]);

test('a path that passes only small packets is found, shown, and used within its limit', async (t) => {
  await start(host1(), 'one');
  const two = await start(host2(), 'two');
  await known(hosts, 'two', two);
  await until('both sizes pass', async () => (await path(host1()))?.full.state === 'ok');
  await shown(host1(), /established +vxlan \S+\(host2\) mtu=1450 rtt=\d+\.\dms loss=\d+%$/m);
  await largePasses(host1(), 'one', two);

  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  await narrow(700);
  const sending = transfer(two, 100_000_000);
  await largePasses(host1(), 'one', two);
  t.diagnostic(`10,000-byte pings pass after ${seconds()} s`);
  assert.equal(await sending, 100_000_000);
  t.diagnostic(`100 MB that were begun before have passed after ${seconds()} s`);
  await until('it is a condition', async () => (await conditions(host1())).includes('PATH_NARROW'));
  await shown(
    host1(),
    /established +vxlan \S+\(host2\) mtu=650 rtt=\S+ms loss=\d+%\/\d+% packets over 650 bytes do not pass/,
  );
  assert.match((await host1().weavets('status')).stdout, /Warning: the network to host2 .*650 bytes/);
  await measures(host1(), 'weavets_path_mtu_bytes', [650]);
  await measures(host1(), 'weavets_path_up', [1, 0]);
  await measures(host1(), 'weavets_path_underlay_up', [1]);
  // The way out is as it was.
  await shown(host2(), /mtu=1450 /);

  await crash(host1());
  // What was set stays without a daemon.
  await largePasses(host1(), 'one', two);
  await launch(host1(), '--store', store);
  await until('it is found again', async () => (await path(host1()))?.mtu === 650);
  await largePasses(host1(), 'one', two);
  const log = await host1().runOk(['grep', '-c', '"condition":"PATH_NARROW"', '/var/log/weavets.log']);
  assert.ok(Number(log) <= 4, `${log} lines in the log`);

  await host2().runOk(['nft', 'delete', 'table', 'ip', 'narrow']);
  await until('full size passes', async () => {
    const routes = await host1().docker('exec', 'one', 'ip', 'route');
    return !routes.includes('mtu') && !(await conditions(host1())).includes('PATH_NARROW');
  });
  await shown(host1(), /mtu=1450 /);
  await largePasses(host1(), 'one', two);
});

test('blocked VXLAN is told from a host that is away, and from one whose daemon has ended', async () => {
  await narrow(0);
  await until('it is a condition', async () => (await conditions(host1())).includes('PATH_BLOCKED'));
  await shown(host1(), /failed +vxlan .* its daemon answers, but nothing passes inside/);
  await measures(host1(), 'weavets_path_up', [0, 0]);
  await host2().runOk(['nft', 'delete', 'table', 'ip', 'narrow']);
  await until('it passes', async () => /established/.test(await connections(host1())));
  await until('it is none any more', async () => (await conditions(host1())).length === 0);

  assert.equal((await host2().weavets('stop')).code, 0);
  await until('its daemon is known to be away', async () => (await reportOf(host1())).Paths.length === 0);
  assert.doesNotMatch(await host2().runOk(['ip', '-o', 'link']), /vethwe-probe/);
  await until('nothing is wrong', async () => (await conditions(host1())).length === 0);
  assert.equal((await host1().weavets('reset')).code, 0);
  assert.doesNotMatch(await host1().runOk(['ip', '-o', 'link']), /vethwe|weave/);
});
