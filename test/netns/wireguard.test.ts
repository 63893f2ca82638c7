import assert from 'node:assert/strict';
import test from 'node:test';
import { Capture } from '../support/capture.ts';
import { until } from '../support/host.ts';
import { Cluster, first, introduce, type Node, transfer } from './datapath-lab.ts';

const marker = 'a payload to be looked for';

/** Sends `marker` by UDP from the first container of a node to that of another. */
async function sendMarker(from: Node, to: Node): Promise<void> {
  const argv = ['socat', '-u', 'STDIN', `UDP:${first(to).ip}:7000`];
  await from.host.run(from.within(first(from), argv), { input: marker });
}

/** What a host's eth0 sees while `deed` runs. */
async function seen({ host }: Node, deed: () => Promise<unknown>): Promise<Buffer[]> {
  const capture = await Capture.start(host, 'eth0', 'udp');
  await deed();
  return capture.stop();
}

/** A VXLAN datagram with a broadcast frame of this network, from a host of the underlay that is no peer. */
const forge = `
  const frame = Buffer.from('08000000${(6784).toString(16).padStart(6, '0')}00' + 'ffffffffffff020000009999' + '0'.repeat(100), 'hex');
  const socket = require('node:dgram').createSocket('udp4');
  socket.send(frame, 6784, '10.250.0.1', () => socket.close());
`;

const shows = (packets: Buffer[]) => packets.some((packet) => packet.includes(marker));
/** UDP destination ports of packets */
const ports = (packets: Buffer[]) => [...new Set(packets.map((packet) => packet.readUInt16BE(36)))];

test('unencrypted, a capture on the underlay shows the payload', async () => {
  await using cluster = await Cluster.create({}, {});
  const [one, two] = cluster.nodes as [Node, Node];
  const packets = await seen(one, async () => {
    await one.reaches(first(one), first(two));
    await sendMarker(one, two);
  });
  assert.ok(shows(packets));
});

test('the encrypted datapath', async (t) => {
  const trustedSubnets = ['10.250.0.3/32'];
  const options = { mtu: 1370, trustedSubnets };
  // The third trusts the two, and is trusted.
  const third = { mtu: 1370, trustedSubnets: ['10.250.0.0/30'] };
  await using cluster = await Cluster.create(options, options, third);
  const [one, two, three] = cluster.nodes as [Node, Node, Node];

  await t.test('carries everything, and a capture shows nothing', async () => {
    await two.call('stop');
    await two.crash();
    await two.start();
    await introduce(cluster.nodes);
    const packets = await seen(one, async () => {
      await one.reaches(first(one), first(two));
      await sendMarker(one, two);
      await one.pings(first(one), { ...first(two), ip: '10.47.0.1' });
    });
    assert.ok(!shows(packets));
    const toTwo = packets.filter((packet) => packet.subarray(26, 34).includes(Buffer.from([10, 250, 0, 2])));
    assert.ok(toTwo.length > 4);
    assert.deepEqual(ports(toTwo), [6785]);
    const bytes = 5_000_000;
    assert.equal(await transfer({ from: one, to: two, bytes }), bytes);
  });

  await t.test('is unencrypted to trusted subnets', async () => {
    const packets = await seen(three, async () => {
      await one.reaches(first(one), first(three));
      await sendMarker(one, three);
    });
    assert.ok(shows(packets));
    const carriers = (await one.state()).map(({ carrier }) => carrier);
    assert.deepEqual(carriers, ['encrypted wireguard', 'vxlan']);
  });

  await t.test('knows that peers answer', async () => {
    await until('all are established', async () =>
      (await one.state()).every(({ state }) => state === 'established'),
    );
  });

  await t.test('sends nothing in clear while WireGuard is down, and restarts it', async () => {
    const pid = await userspacePid(one);
    const packets = await seen(one, async () => {
      await one.host.run(['kill', '-9', pid]);
      for (let i = 0; i < 3; i++) await sendMarker(one, two);
    });
    assert.ok(!shows(packets));
    assert.ok(
      !ports(packets.filter((packet) => packet.includes(Buffer.from([10, 250, 0, 2])))).includes(6784),
    );
    await one.reaches(first(one), first(two));
    assert.notEqual(await userspacePid(one), pid);
  });

  await t.test('repairs what others have changed', async () => {
    assert.equal(await one.call('repair'), false);
    const changes = [
      'ip link set weave-wg down',
      'ip link set weave-wg mtu 1300',
      'ip addr flush dev weave-wg',
      'ip route flush table 6784',
      'ip rule del pref 6783',
      'ip rule del pref 6784',
      'ip rule del pref 6785',
      `wg set weave-wg peer '${two.publicKey}' remove`,
    ];
    for (const change of changes) {
      await one.host.runOk(['bash', '-c', change]);
      assert.equal(await one.call('repair'), true, change);
      assert.equal(await one.call('repair'), false, change);
      await one.reaches(first(one), first(two));
      await one.reaches(first(one), first(three));
    }
  });

  await t.test('key and sessions survive a crash of the daemon', async () => {
    const before = one.publicKey;
    await one.crash();
    // Without a daemon.
    await one.reaches(first(one), first(two));
    await one.start();
    assert.equal(one.publicKey, before);
    await introduce(cluster.nodes);
    await one.reaches(first(one), first(two));
    await until('one process carries all', async () => {
      return (await one.host.shell('pgrep -xc wireguard-go')).stdout.trim() === '1';
    });
  });

  await t.test('keeps working without its daemon; the key is in no file, even after kill -9', async () => {
    const key = (await one.host.shell('wg show weave-wg private-key')).stdout.trim();
    assert.match(key, /^[\w+/]{43}=$/);
    await one.crash();
    for (let i = 0; i < 3; i++) await one.reaches(first(one), first(two));
    const found = await one.host.shell(`grep -rlF '${key}' /run /tmp /etc /var/lib /var/log 2>/dev/null`);
    assert.equal(found.stdout, '');
    await one.start();
    await one.call('stop');
    // Stopped in order.
    await one.reaches(first(one), first(two));
    await one.crash();
    await one.start();
    // Started, and not told of its peers yet.
    await one.reaches(first(one), first(two));
    await introduce(cluster.nodes);
    await one.reaches(first(one), first(two));
  });

  await t.test('accepts cleartext VXLAN from trusted subnets only', async () => {
    const heard = await Capture.start(one.host, 'vxlan-6784', 'ether src 02:00:00:00:99:99');
    await two.host.runOk(['ip', 'rule', 'del', 'pref', '6784']);
    await two.host.runOk(['ip', 'rule', 'del', 'pref', '6785']);
    await two.host.runOk([process.execPath, '-e', forge]);
    await one.host.runOk(['iptables', '-D', 'INPUT', '-j', 'WEAVE-INPUT']);
    await two.host.runOk([process.execPath, '-e', forge]);
    await until('it is heard', () => heard.packets().length > 0);
    assert.equal((await heard.stop()).length, 1, 'the second alone, which came without the rules');
    assert.equal(await one.call('keepRules'), true);
    await one.reaches(first(one), first(three));
  });

  await t.test('does not talk to a peer without a key', async () => {
    const { name, nickname, host } = two;
    await one.call('setPeers', [{ name, nickname, address: host.address }]);
    const [state] = await one.state();
    assert.equal(state?.state, 'failed');
    assert.match(state?.text ?? '', /no encryption key/);
    assert.equal(await one.pings(first(one), first(two)), false);
  });

  await t.test('removes everything', async () => {
    await one.call('stop');
    await one.call('remove');
    await until('wireguard-go has ended', async () => {
      return (await one.host.shell('pgrep -xc wireguard-go')).stdout.trim() === '0';
    });
    assert.doesNotMatch(await one.host.runOk(['ip', '-o', 'link']), /vxlan|weave-wg/);
    assert.doesNotMatch(await one.host.runOk(['ip', 'rule']), /6784/);
  });
});

async function userspacePid({ host }: Node): Promise<string> {
  return (await host.shell('pgrep -x wireguard-go')).stdout.trim();
}
