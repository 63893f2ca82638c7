import assert from 'node:assert/strict';
import test from 'node:test';
import type { PathHealth } from '../../src/model/path-health.ts';
import { probeAddress } from '../../src/net/overlay/probe-message.ts';
import { until } from '../support/host.ts';
import { Cluster, first, introduce, type Node, type NodeOptions, transfer } from './datapath-lab.ts';

const pathTo = async (from: Node, to: Node): Promise<PathHealth> => {
  const state = (await from.state()).find(({ peer }) => peer.name === to.name);
  return state?.health ?? assert.fail(`${from.nickname} knows nothing of ${to.nickname}`);
};

const states = async (from: Node, to: Node) => {
  const { small, full } = await pathTo(from, to);
  return `${small.state} ${full.state}`;
};

/** Drops what comes in by a port and is larger than `bytes`, from `source` or from all. */
async function narrow({ host }: Node, port: number, bytes: number, source?: string): Promise<void> {
  const match = [...(source ? ['ip', 'saddr', source] : []), 'udp', 'dport', String(port)];
  await host.runOk(['nft', 'add', 'table', 'ip', 'narrow']);
  const hook = '{ type filter hook prerouting priority -300 ; }';
  await host.runOk(['nft', 'add', 'chain', 'ip', 'narrow', 'in', hook]);
  const rule = [...match, 'ip', 'length', '>', String(bytes), 'drop'];
  await host.runOk(['nft', 'add', 'rule', 'ip', 'narrow', 'in', ...rule]);
}

const widen = ({ host }: Node) => host.runOk(['nft', 'delete', 'table', 'ip', 'narrow']);

const pingsLarge = async (from: Node, to: Node) => {
  const argv = ['busybox', 'ping', '-s', '10000', '-c', '1', '-W', '2', first(to).ip];
  return (await from.host.run(from.within(first(from), argv))).code === 0;
};

const largePasses = (from: Node, to: Node) => until('a large ping passes', () => pingsLarge(from, to));

/** The MTU with which a container of one node sends to that of another. */
const mtuTo = async (from: Node, to: Node) => {
  const argv = from.within(first(from), ['ip', '-json', 'route', 'get', first(to).ip]);
  const [route] = JSON.parse(await from.host.runOk(argv)) as { metrics?: { mtu?: number }[] }[];
  return route?.metrics?.find(({ mtu }) => mtu !== undefined)?.mtu;
};

const allKnown = (nodes: readonly Node[]) =>
  until('every way is known to work', async () => {
    for (const node of nodes) {
      const others = await node.state();
      const good = others.every(({ health }) => health?.small.state === 'ok' && health.full.state === 'ok');
      if (!good || others.some(({ state }) => state !== 'established')) return false;
    }
    return true;
  });

for (const [name, options, port, overhead] of [
  ['VXLAN', {}, 6784, 50],
  ['WireGuard', { trustedSubnets: [], mtu: 1370 }, 6785, undefined],
  ['Open vSwitch', { kind: 'ovs', mtu: 1376 }, 6784, 50],
] as [string, NodeOptions, number, number | undefined][]) {
  test(`the MTU follows the path: ${name}`, async (t) => {
    const each = { ...options, probes: true };
    await using cluster = await Cluster.create(each, each, each);
    const [one, two, three] = cluster.nodes as [Node, Node, Node];
    // As on a wire: else the rule below would see several segments as one large packet.
    for (const { host } of cluster.nodes)
      await host.runOk(['ethtool', '-K', 'eth0', 'gso', 'off', 'tso', 'off']);
    await allKnown(cluster.nodes);
    await largePasses(one, two);

    const start = performance.now();
    await narrow(two, port, 700);
    assert.equal(await pingsLarge(one, two), false, 'full size passes all the same');
    await largePasses(one, two);
    t.diagnostic(`${((performance.now() - start) / 1000).toFixed(1)} s until 10,000-byte pings pass`);
    await largePasses(two, one);
    assert.equal(await transfer({ from: one, to: two, bytes: 10_000_000 }), 10_000_000);
    assert.equal(await transfer({ from: two, to: one, bytes: 10_000_000 }), 10_000_000);
    let mtu: number | undefined;
    // On a busy machine probes may be late: then it is looked for once more.
    await until('the path is known as it is', async () => {
      mtu = await mtuTo(one, two);
      const known = (await pathTo(one, two)).mtu === mtu && (await states(one, two)) === 'ok failing';
      return known && mtu !== undefined && (overhead === undefined || mtu === 700 - overhead);
    });
    await until('the third knows too', async () => (await mtuTo(three, two)) === mtu);
    assert.deepEqual([await mtuTo(one, three), await mtuTo(three, one)], [undefined, undefined]);

    const late = await one.addContainer();
    const argv = one.within(late, ['ip', 'route', 'get', first(two).ip]);
    assert.match(await one.host.runOk(argv), new RegExp(`mtu ${mtu} `), 'one that is attached now');

    const far = await two.addContainer();
    await one.call('putRemote', two.entries().at(-1));
    await until('one that is attached there is known', async () => {
      const sized = await one.host.runOk(one.within(late, ['ip', 'route', 'get', far.ip]));
      return sized.includes(`mtu ${mtu} `);
    });

    await widen(two);
    await until('all has its full size again', async () => {
      const sizes = [await mtuTo(one, two), await mtuTo(three, two), (await pathTo(one, two)).mtu];
      const routes = await one.host.runOk(one.within(late, ['ip', 'route']));
      return sizes.every((size) => size === undefined) && !routes.includes('mtu');
    });
    await largePasses(one, two);
  });
}

test('probes', async (t) => {
  const each = { probes: true };
  await using cluster = await Cluster.create(each, each);
  const [one, two] = cluster.nodes as [Node, Node];
  await allKnown(cluster.nodes);

  await t.test('tell VXLAN that is blocked from a host that is away', async () => {
    await narrow(two, 6784, 0);
    await until('one sees it fail, and why', async () => {
      const [state] = await one.state();
      const failed = (await states(one, two)) === 'failing failing' && state?.state === 'failed';
      const why = /its daemon answers, but nothing passes inside the network/.test(state?.text ?? '');
      return failed && why && state?.health?.underlay === 'up';
    });
    await two.host.runOk(['ip', 'link', 'set', 'eth0', 'down']);
    await until('it is away', async () => (await pathTo(one, two)).underlay === 'down');
    await until('one says so', async () => /no answer from/.test((await one.state())[0]?.text ?? ''));
    await two.host.runOk(['ip', 'link', 'set', 'eth0', 'up']);
    await two.host.runOk(['ip', 'route', 'replace', 'default', 'via', '10.250.0.254']);
    await widen(two);
    await allKnown(cluster.nodes);
  });

  await t.test('come back by themselves when their link is taken away', async () => {
    await two.host.runOk(['ip', 'link', 'del', 'vethwe-probe']);
    await until('one sees it fail', async () => (await states(one, two)).startsWith('failing'));
    await two.call('repair');
    await allKnown(cluster.nodes);
  });

  await t.test('are not to be reached by containers, and answer them nothing', async () => {
    const { mac, ip } = probeAddress(two.id ?? '');
    const inside = (...argv: string[]) => two.host.run(two.within(first(two), argv));
    for (const argv of [
      ['addr', 'add', '240.0.0.9/5', 'dev', 'ethwe'],
      ['neigh', 'replace', ip, 'lladdr', mac, 'dev', 'ethwe', 'nud', 'permanent'],
    ])
      assert.equal((await inside('ip', ...argv)).code, 0);
    assert.notEqual((await inside('busybox', 'arping', '-c', '1', '-w', '1', '-I', 'ethwe', ip)).code, 0);
    assert.notEqual((await inside('busybox', 'ping', '-c', '1', '-W', '1', ip)).code, 0);
    const ask = await inside('sh', '-c', `echo 'wv?1' | timeout 2 socat -T1 - UDP:${ip}:6783`);
    assert.equal(ask.stdout, '');
    await until('all is well', async () => (await states(one, two)) === 'ok ok');
  });

  await t.test('go with their process, and with reset', async () => {
    const links = () => one.host.runOk(['ip', '-o', 'link']);
    assert.match(await links(), /vethwe-probe/);
    await one.crash();
    await until('the link is gone', async () => !(await links()).includes('vethwe-probe'));
    await one.start();
    await introduce(cluster.nodes);
    await allKnown(cluster.nodes);
    await one.call('stop');
    await until('the link is gone', async () => !(await links()).includes('vethwe-probe'));
  });
});
