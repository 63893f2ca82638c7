import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Capture } from '../support/capture.ts';
import type { Etcd } from '../support/etcd.ts';
import { type Host, until, weavets } from '../support/host.ts';
import { startOvs } from '../support/ovs.ts';
import {
  etcdOn,
  hearsMulticast,
  known,
  Lab,
  launch,
  pings,
  reaches,
  reportOf,
  start,
  storeOf,
} from './lab.ts';

const marker = 'a payload that nobody else is to read';
const password = 'correct horse';

let lab: Lab;
let secured: Etcd;
let plain: Etcd;
const host = (number: number) => lab.host(number);

before(async () => {
  lab = await Lab.create();
  // Tokens of 5 s: every daemon here has to log in again and again.
  secured = await etcdOn(lab.underlay, { tls: true, tokenSeconds: 5 });
  await secured.enableUsers('pass:word');
});
after(async () => {
  await secured?.[Symbol.asyncDispose]();
  await plain?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** Flags that reach the secured etcd. */
function access(user = 'weavets:pass:word'): string[] {
  const { ca, cert, key } = secured.files;
  return [
    ...['--store', storeOf(secured), '--etcd-user', user],
    ...['--etcd-cacert', ca, '--etcd-cert', cert, '--etcd-key', key],
  ];
}

async function refused(on: Host, flags: string[], message: RegExp): Promise<void> {
  const { code, stderr } = await on.weavets('launch', ...flags);
  assert.equal(code, 1, 'it was not refused');
  assert.match(stderr, message);
  assert.doesNotMatch(stderr, /pass:word|correct horse/);
}

/** What passes the underlay at a host while a container sends the marker to an address that it reaches. */
async function seen(on: Host, { from, to }: { from: string; to: string }): Promise<boolean> {
  await reaches(on, from, to);
  const capture = await Capture.start(on, 'eth0', 'udp');
  const pid = await on.docker('inspect', '-f', '{{.State.Pid}}', from);
  const send = ['nsenter', '-n', '-t', pid, 'socat', '-u', '-', `UDP4-DATAGRAM:${to}:9`];
  await on.runOk(send, { input: marker });
  await reaches(on, from, to);
  const packets = await capture.stop();
  assert.notEqual(packets.length, 0);
  return packets.some((packet) => packet.includes(marker));
}

const mtuOf = async (on: Host, container: string) =>
  (await on.docker('exec', container, 'cat', '/sys/class/net/ethwe/mtu')).trim();

async function established(on: Host): Promise<boolean> {
  const connections = (await reportOf(on)).Router.Connections ?? [];
  return connections.length === 2 && connections.every(({ State }) => State === 'established');
}

test('an etcd with TLS and users admits the right clients only', async () => {
  const [, , , ...tls] = access();
  await refused(host(1), ['--store', storeOf(secured)], /STORE_UNAVAILABLE|etcd is not available/);
  await refused(host(1), ['--store', storeOf(secured), ...tls.slice(1)], /permission denied/);
  await refused(host(1), access('weavets:wrong'), /invalid user ID or password/);
});

test('encrypted between hosts, plain to trusted subnets', async () => {
  const trusts = (subnet: string) => ['--trusted-subnets', subnet];
  const { ca, cert, key } = secured.files;
  // The first host is told of all secrets by the environment.
  const env = {
    WEAVE_STORE: storeOf(secured),
    WEAVE_PASSWORD: password,
    ETCDCTL_USER: 'weavets',
    ETCDCTL_PASSWORD: 'pass:word',
    ETCDCTL_CACERT: ca,
    ETCDCTL_CERT: cert,
    ETCDCTL_KEY: key,
  };
  await host(1).runOk([weavets, 'launch', ...trusts('10.250.0.3/32')], { env });
  await refused(host(2), [...access(), '--password', 'wrong'], /the password is not that of the cluster/);
  await refused(host(2), access(), /is encrypted; launch with its --password/);
  await launch(host(2), ...access(), '--password', password, ...trusts('10.250.0.3/32'));
  // With host bits, as Weave Net takes it: 10.250.0.0/30, which has the other two.
  await launch(host(3), ...access(), '--password', password, ...trusts('10.250.0.1/30'));
  const [one, two, three] = [
    await start(host(1), 'one'),
    await start(host(2), 'two'),
    await start(host(3), 'three'),
  ];
  for (const [name, address] of [
    ['one', one],
    ['two', two],
    ['three', three],
  ] as const) {
    await known(lab.hosts, name, address);
  }
  for (const [on, from] of [
    [1, 'one'],
    [2, 'two'],
    [3, 'three'],
  ] as const) {
    for (const to of ['one', 'two', 'three']) {
      await until(`${from} reaches ${to}`, () => pings(host(on), from, to));
    }
  }
  assert.equal(await mtuOf(host(1), 'one'), '1370', '1500 less WireGuard and VXLAN');
  assert.equal(await seen(host(1), { from: 'one', to: two }), false);
  assert.equal(await seen(host(1), { from: 'one', to: three }), true);
  assert.equal(await seen(host(3), { from: 'three', to: two }), true);
  assert.match((await host(3).weavets('status')).stdout, /TrustedSubnets: 10\.250\.0\.0\/30/);
  await until('both are established, by what carries them', async () => {
    const { stdout } = await host(1).weavets('status', 'connections');
    const encrypted = /10\.250\.0\.2:6784 +established +encrypted wireguard/.test(stdout);
    return encrypted && /10\.250\.0\.3:6784 +established +vxlan/.test(stdout);
  });
  assert.match((await host(1).weavets('status')).stdout, /Encryption: enabled/);
  assert.match((await host(1).weavets('status')).stdout, /TrustedSubnets: 10\.250\.0\.3\/32/);
  assert.doesNotMatch((await host(1).weavets('report')).stdout, /pass:word|correct horse/);
});

test('a daemon launched again without a password, elsewhere, leaves nothing of WireGuard', async () => {
  plain = await etcdOn(lab.underlay);
  for (const on of lab.hosts) assert.equal((await on.weavets('stop')).code, 0);
  for (const on of lab.hosts) {
    await startOvs(on);
    await launch(on, '--store', storeOf(plain), '--datapath', 'ovs');
    assert.doesNotMatch(await on.runOk(['ip', '-o', 'link']), /weave-wg/);
  }
});

test("Open vSwitch: Weave Net's topology, all reach each other, multicast too", async () => {
  const links = await host(1).runOk(['ip', '-o', 'link']);
  for (const link of [
    'weave',
    'vethwe-bridge@vethwe-datapath',
    'vethwe-datapath@vethwe-bridge',
    'vxlan-6784',
    'datapath',
  ]) {
    assert.match(links, new RegExp(` ${link}: .* mtu 1376 `));
  }
  assert.match(links, / vethwe-bridge@.* master weave /);
  assert.equal(await host(1).runOk(['ovs-vsctl', 'list-ports', 'datapath']), 'vethwe-datapath\nvxlan-6784\n');
  // Those that ran before, and new ones.
  const names = ['four', 'five', 'six'];
  const addresses = await Promise.all(names.map((name, i) => start(host(i + 1), name)));
  assert.equal(await mtuOf(host(1), 'four'), '1376');
  for (const [i, name] of names.entries()) await known(lab.hosts, name, addresses[i] as string);
  for (const [i, from] of names.entries()) {
    for (const to of [...names, 'one', 'two', 'three']) {
      await until(`${from} reaches ${to}`, () => pings(host(i + 1), from, to));
    }
  }
  await hearsMulticast({ on: host(1), from: 'four' }, { on: host(3), to: 'six' });
  await until('connections are established', () => established(host(1)));
});

test('WEAVE_MTU and --host', async () => {
  await host(1).weavets('stop');
  await refused(
    host(1),
    ['--store', storeOf(plain), '--host', '10.250.0.77'],
    /--host: no interface that is up has the address/,
  );
  await host(1).runOk(['ip', 'addr', 'add', '10.250.0.71/24', 'dev', 'eth0']);
  // As a card would: the Open vSwitch of the other hosts takes frames as they are, without checksums if so they come.
  await host(1).runOk(['ethtool', '-K', 'eth0', 'tx', 'off']);
  const env = { WEAVE_MTU: '1300' };
  await host(1).runOk([weavets, 'launch', '--store', storeOf(plain), '--host', '10.250.0.71'], { env });
  const seven = await start(host(1), 'seven');
  assert.equal(await mtuOf(host(1), 'seven'), '1300');
  await known(lab.hosts, 'seven', seven);
  await until('it is reached at its other address', async () => {
    const connections = (await reportOf(host(2))).Router.Connections ?? [];
    return connections.some(
      ({ Address, State }) => Address === '10.250.0.71:6784' && State === 'established',
    );
  });
  await until('five reaches seven', () => pings(host(2), 'five', 'seven'));
  assert.doesNotMatch(await host(1).runOk(['ip', '-o', 'link']), /vethwe-datapath|: datapath:/);
});
