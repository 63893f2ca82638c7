import assert from 'node:assert/strict';
import test from 'node:test';
import { Capture } from '../support/capture.ts';
import { until } from '../support/host.ts';
import { Cluster, carryingIp, first, floods, inner, introduce, type Node } from './datapath-lab.ts';

const vxlan = 'udp port 6784';

/** Everything that is programmed on a node, in a form to compare. */
async function programmed({ host }: Node): Promise<string[]> {
  const fdb = await host.runOk(['bridge', 'fdb', 'show', 'dev', 'vxlan-6784']);
  const neighbours = await host.runOk(['ip', 'neigh', 'show', 'dev', 'weave', 'nud', 'permanent']);
  // The link's own MAC differs each time.
  const lines = fdb.split('\n').filter((line) => / dst | static/.test(line));
  return [...lines, ...neighbours.split('\n')]
    .map((line) => line.trim())
    .filter(Boolean)
    .sort();
}

test('the bridge datapath', async (t) => {
  await using cluster = await Cluster.create({}, {}, {});
  const [one, two, three] = cluster.nodes as [Node, Node, Node];

  await t.test('answers ARP locally, and sends unicast to the right host only', async () => {
    const captures = await Promise.all(cluster.nodes.map(({ host }) => Capture.start(host, 'eth0', vxlan)));
    const quiet = await Capture.start(three.host, 'ethwe', 'not ether multicast', (argv) =>
      three.within(first(three), argv),
    );
    assert.ok(await one.pings(first(one), first(two), 2));
    const [atOne, atTwo, atThree] = await Promise.all(captures.map((capture) => capture.stop()));
    assert.deepEqual([carryingIp(atOne), carryingIp(atTwo), atThree?.length], [4, 4, 0]);
    assert.ok(
      atOne?.every((packet) => inner(packet).to !== 'ffffffffffff'),
      'nobody is asked',
    );
    assert.equal((await quiet.stop()).length, 0);
  });

  await t.test('floods no unicast to local containers', async () => {
    const other = await one.addContainer();
    const capture = await Capture.start(one.host, 'ethwe', 'icmp', (argv) => one.within(other, argv));
    await one.reaches(first(one), first(two));
    assert.equal((await capture.stop()).length, 0);
  });

  await t.test('sends no unknown unicast to other hosts', async () => {
    const capture = await Capture.start(one.host, 'eth0', vxlan);
    const set = ['ip', 'neigh', 'replace', '10.47.0.1', 'lladdr', '02:00:00:00:ff:ff', 'dev', 'ethwe'];
    await one.host.runOk(one.within(first(one), set));
    const nobody = { ...first(two), ip: '10.47.0.1' };
    assert.equal(await one.pings(first(one), nobody), false);
    assert.ok((await capture.stop()).every((packet) => inner(packet).to !== '02000000ffff'));
  });

  await t.test('sends ARP for unknown addresses, and multicast, to every host', () =>
    floods(one, [two, three]),
  );

  await t.test("announces an address's new MAC to containers at once", async () => {
    await one.reaches(first(one), first(three));
    const former = first(three);
    const mac = '02:00:00:00:03:99';
    await three.host.runOk(three.within(former, ['ip', 'link', 'set', 'ethwe', 'address', mac]));
    await one.call('deleteRemote', { mac: former.mac, peer: three.name });
    await one.call('putRemote', { mac, ips: [former.ip], peer: three.name });
    // Who is not told goes on with the old MAC for longer than two pings take.
    assert.ok(await one.pings(first(one), former, 2), 'the first pings go to the new MAC');
    await three.host.runOk(three.within(former, ['ip', 'link', 'set', 'ethwe', 'address', former.mac]));
    await introduce(cluster.nodes);
    assert.ok(await one.pings(first(one), former, 2), 'and back');
  });

  await t.test('knows whether a peer answers', async () => {
    const stateOf = async (address: string) =>
      (await one.state()).find(({ peer }) => peer.address === address)?.state;
    await until('both are established', async () =>
      (await one.state()).every(({ state, carrier }) => state === 'established' && carrier === 'vxlan'),
    );
    await two.host.runOk(['ip', 'link', 'set', 'eth0', 'down']);
    await until('host2 has failed', async () => (await stateOf(two.host.address)) === 'failed');
    assert.equal(await stateOf(three.host.address), 'established');
    await two.host.runOk(['ip', 'link', 'set', 'eth0', 'up']);
    await until('host2 is established', async () => (await stateOf(two.host.address)) === 'established');
    await two.host.runOk(['ip', 'route', 'replace', 'default', 'via', '10.250.0.254']);
    await one.reaches(first(one), first(two));
  });

  await t.test('restores what others remove', async () => {
    const before = await programmed(one);
    assert.equal(await one.call('repair'), false);
    await one.host.runOk(['ip', 'link', 'del', 'vxlan-6784']);
    assert.equal(await one.call('repair'), true);
    assert.deepEqual(await programmed(one), before);
    await one.reaches(first(one), first(two));
    for (const change of ['nomaster', 'down']) {
      await one.host.runOk(['ip', 'link', 'set', 'vxlan-6784', change]);
      assert.equal(await one.call('repair'), true, change);
      await one.reaches(first(one), first(two));
    }
  });

  await t.test('a failed change is made good, with everything else that was lost', async () => {
    const before = await programmed(one);
    const mac = '02:00:00:00:03:77';
    const entry = { mac, ips: ['10.47.0.7'], peer: three.name };
    await one.call('putRemote', entry);
    await one.call('deleteRemote', { ...entry, peer: two.name });
    assert.equal((await programmed(one)).length, before.length + 3, 'what another host has stays');
    for (const gone of [mac, first(two).mac])
      await one.host.runOk(['bridge', 'fdb', 'del', gone, 'dev', 'vxlan-6784', 'self']);
    await assert.rejects(one.call('deleteRemote', entry), /TOOL_FAILED: 1 forwarding entries refused/);
    assert.notDeepEqual(await programmed(one), before);
    await one.call('repair');
    assert.deepEqual(await programmed(one), before);
  });

  await t.test('keeps working without its daemon, which takes over what it finds', async () => {
    const before = await programmed(one);
    const index = (await one.host.runOk(['cat', '/sys/class/net/vxlan-6784/ifindex'])).trim();
    await one.crash();
    await one.reaches(first(one), first(two));
    // What came and went meanwhile.
    await one.host.runOk([
      'bridge',
      'fdb',
      'append',
      '00:00:00:00:00:00',
      'dev',
      'vxlan-6784',
      'dst',
      '10.9.9.9',
    ]);
    await one.host.runOk([
      'bridge',
      'fdb',
      'add',
      '02:ff:00:00:00:01',
      'dev',
      'vxlan-6784',
      'dst',
      '10.9.9.9',
    ]);
    await one.host.runOk(['bridge', 'fdb', 'del', first(three).mac, 'dev', 'vxlan-6784', 'master']);
    await one.host.runOk(['ip', 'neigh', 'del', first(three).ip, 'dev', 'weave']);
    await one.start();
    const found = await programmed(one);
    await one.call('setPeers', [{ name: two.name, nickname: two.nickname, address: two.host.address }]);
    assert.deepEqual(await programmed(one), found, 'nothing is taken away before all is known');
    await introduce(cluster.nodes);
    assert.deepEqual(await programmed(one), before);
    assert.equal((await one.host.runOk(['cat', '/sys/class/net/vxlan-6784/ifindex'])).trim(), index);
    await one.reaches(first(one), first(three));
  });

  await t.test('forgets a peer and everything on it', async () => {
    const peer = { name: two.name, nickname: two.nickname, address: two.host.address };
    await one.call('setPeers', [peer]);
    const left = await programmed(one);
    assert.ok(left.some((line) => line.includes(two.host.address)));
    assert.ok(!left.some((line) => line.includes(three.host.address) || line.startsWith(first(three).mac)));
    assert.equal(await one.pings(first(one), first(three)), false);
    await introduce(cluster.nodes);
    // And takes it up again.
    await one.reaches(first(one), first(three));
  });

  await t.test('programs 100,000 entries', async () => {
    const result = await one.call<{ seconds: number; before: number; after: number }>('many', {
      count: 100_000,
      peer: two.name,
    });
    const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
    t.diagnostic(
      `100,000 entries: ${result.seconds.toFixed(1)} s, ${mib(result.before)} to ${mib(result.after)} MiB`,
    );
    const fdb = await one.host.runOk(['bridge', 'fdb', 'show', 'dev', 'vxlan-6784']);
    assert.equal(fdb.split('\n').filter((line) => line.startsWith('06:')).length, 200_000);
    const again = await one.call<{ seconds: number }>('many', { count: 100_000, peer: two.name });
    t.diagnostic(`once more, all of it there: ${again.seconds.toFixed(2)} s`);
    assert.ok(result.seconds < 300);
  });

  await t.test('removes everything', async () => {
    await one.call('stop');
    await one.call('remove');
    const links = await one.host.runOk(['ip', '-o', 'link']);
    assert.doesNotMatch(links, /vxlan|vethwe-|weave-wg/);
  });
});
