import assert from 'node:assert/strict';
import test from 'node:test';
import { Capture } from '../support/capture.ts';
import { startVswitchd } from '../support/ovs.ts';
import { Cluster, carryingIp, first, floods, inner, introduce, type Node, transfer } from './datapath-lab.ts';

/** `name -> [kind, master, mtu]` of the links that Weave Net shows. */
async function topology({ host }: Node): Promise<Record<string, unknown[]>> {
  interface Shown {
    ifname: string;
    master?: string;
    mtu: number;
    linkinfo?: { info_kind?: string };
  }
  const links = JSON.parse(await host.runOk(['ip', '-d', '-json', 'link'])) as Shown[];
  const names = ['weave', 'vethwe-bridge', 'vethwe-datapath', 'vxlan-6784', 'datapath'];
  return Object.fromEntries(
    names.map((name) => {
      const link = links.find(({ ifname }) => ifname === name);
      return [name, [link?.linkinfo?.info_kind, link?.master ?? null, link?.mtu]];
    }),
  );
}

async function ovsPorts({ host }: Node): Promise<string[]> {
  return (await host.runOk(['ovs-vsctl', 'list-ports', 'datapath'])).trim().split('\n').sort();
}

test('the Open vSwitch datapath', async (t) => {
  const options = { kind: 'ovs', mtu: 1376 } as const;
  await using cluster = await Cluster.create(options, options, options);
  const [one, two, three] = cluster.nodes as [Node, Node, Node];

  await t.test("has Weave Net's topology", async () => {
    const kernel = (await one.host.shell('test -d /sys/module/openvswitch')).code === 0;
    // Open vSwitch's own datapath drives its ports from outside the kernel, where they have no master.
    const master = kernel ? 'ovs-system' : null;
    assert.deepEqual(await topology(one), {
      weave: ['bridge', null, 1376],
      'vethwe-bridge': ['veth', 'weave', 1376],
      'vethwe-datapath': ['veth', master, 1376],
      'vxlan-6784': ['vxlan', master, 1376],
      datapath: [kernel ? 'openvswitch' : 'tun', null, 1376],
    });
    assert.deepEqual(await ovsPorts(one), ['vethwe-datapath', 'vxlan-6784']);
  });

  await t.test('containers can ping; unicast reaches only its host, ARP none', async () => {
    const captures = await Promise.all(
      cluster.nodes.map(({ host }) => Capture.start(host, 'eth0', 'udp port 6784')),
    );
    assert.ok(await one.pings(first(one), first(two), 2));
    const [atOne, atTwo, atThree] = await Promise.all(captures.map((capture) => capture.stop()));
    assert.deepEqual([carryingIp(atOne), carryingIp(atTwo), atThree?.length], [4, 4, 0]);
    assert.ok(
      atOne?.every((packet) => inner(packet).to !== 'ffffffffffff'),
      'nobody is asked',
    );
  });

  await t.test('broadcasts and multicast reach every host', () => floods(one, [two, three]));

  await t.test('TCP passes with full segments', async () => {
    assert.equal(await transfer({ from: one, to: two, bytes: 20_000_000 }), 20_000_000);
  });

  await t.test('repairs what a crash or a reboot leaves', async () => {
    await one.crash();
    // As after a reboot: the database still has the ports, of links that went.
    await one.host.runOk(['ip', 'link', 'del', 'vxlan-6784']);
    await one.host.runOk(['ip', 'link', 'del', 'vethwe-bridge']);
    await one.start();
    await introduce(cluster.nodes);
    assert.deepEqual(await ovsPorts(one), ['vethwe-datapath', 'vxlan-6784']);
    await one.reaches(first(one), first(two));
    await one.host.runOk(['sh', '-c', 'kill -9 $(cat /run/openvswitch/ovs-vswitchd.pid)']);
    await startVswitchd(one.host);
    await one.reaches(first(one), first(two));
  });

  await t.test('says what to do when ovs-vswitchd does not run', async () => {
    await three.call('stop');
    await three.crash();
    await three.host.runOk(['sh', '-c', 'kill -9 $(cat /run/openvswitch/ovs-vswitchd.pid)']);
    await three.launch();
    await assert.rejects(
      three.call('start'),
      /TOOL_FAILED: ovs-vswitchd does not answer; start Open vSwitch/,
    );
    await three.host.runOk(['sh', '-c', 'kill -9 $(cat /run/openvswitch/ovsdb-server.pid)']);
    await assert.rejects(
      three.call('start'),
      /TOOL_FAILED: ovsdb-server does not answer; start Open vSwitch/,
    );
  });

  await t.test('is replaced by the bridge datapath', async () => {
    await two.call('stop');
    await two.call('remove');
    const links = await two.host.runOk(['ip', '-o', 'link']);
    assert.doesNotMatch(links, /vxlan|vethwe-|datapath/);
    assert.equal(await two.host.runOk(['ovs-vsctl', 'list-br']), '');
  });
});
