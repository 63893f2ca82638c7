import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { memberClientPort, memberPeerPort } from '../../src/model/ports.ts';
import { peerChains } from '../../src/net/firewall-rules.ts';
import { Capture } from '../support/capture.ts';
import { until } from '../support/host.ts';
import { Cluster, first, type Node } from './datapath-lab.ts';

let cluster: Cluster;
let one: Node;
let two: Node;
/** a host of the underlay that is no peer of the first */
let stranger: Node;

before(async () => {
  cluster = await Cluster.create({}, {}, {});
  [one, two, stranger] = cluster.nodes as [Node, Node, Node];
  const { name, nickname, host } = two;
  await one.call('setPeers', [{ name, nickname, address: host.address }]);
});
after(() => cluster?.[Symbol.asyncDispose]());

/** A VXLAN datagram with a broadcast frame of this network. */
const frame = `08000000${(6784).toString(16).padStart(6, '0')}00ffffffffffff020000009999${'0'.repeat(100)}`;

/** Sends that to the first host, from a node or a namespace on it. */
async function forge(run: (argv: string[]) => Promise<unknown>, bind = ''): Promise<void> {
  const option = bind === '' ? '' : `,bind=${bind}`;
  const text = `printf %s ${frame} | xxd -r -p | socat -u STDIN UDP:10.250.0.1:6784${option}`;
  await run(['sh', '-c', text]);
}

const hearing = () => Capture.start(one.host, 'vxlan-6784', 'ether src 02:00:00:00:99:99');

/** A namespace behind a bridge of its own on the first host, as a container on a user's network. */
async function makeContainer(): Promise<string[]> {
  await one.host.shell(`
    ip link add br-own type bridge && ip addr add 172.30.0.1/24 dev br-own && ip link set br-own up
    unshare -n sleep 1000000 >/dev/null 2>&1 & echo $! >/run/inner.pid
    until [ "$(readlink /proc/$(cat /run/inner.pid)/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
    ip link add v0 type veth peer name eth0 netns $(cat /run/inner.pid) && ip link set v0 master br-own up
    in="nsenter --net=/proc/$(cat /run/inner.pid)/ns/net"
    $in ip addr add 172.30.0.2/24 dev eth0 && $in ip addr add 10.250.0.2/32 dev eth0 && $in ip link set eth0 up
    $in ip route add default via 172.30.0.1
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.br-own.rp_filter=0`);
  const pid = (await one.host.runOk(['cat', '/run/inner.pid'])).trim();
  return ['nsenter', `--net=/proc/${pid}/ns/net`];
}

test('frames from peers pass, even if the host accepts and forwards nothing', async () => {
  await one.host.shell(`
    iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -P INPUT DROP; iptables -P FORWARD DROP`);
  await two.reaches(first(two), first(one));
  await one.reaches(first(one), first(two));
  await one.host.shell('iptables -P INPUT ACCEPT; iptables -P FORWARD ACCEPT; iptables -F INPUT');
  assert.equal(await one.call('keepRules'), true);
});

test('frames from strangers and containers are dropped, whatever source they claim', async () => {
  const container = await makeContainer();
  const closed = await hearing();
  await forge((argv) => stranger.host.runOk(argv));
  await forge((argv) => one.host.runOk([...container, ...argv]));
  await forge((argv) => one.host.runOk([...container, ...argv]), '10.250.0.2');
  await forge((argv) => two.host.runOk(argv));
  await until("the peer's is heard", () => closed.packets().length > 0);
  assert.equal((await closed.stop()).length, 1, "the peer's alone");
  await one.host.runOk(['iptables', '-D', 'INPUT', '-j', 'WEAVE-INPUT']);
  const open = await hearing();
  await forge((argv) => stranger.host.runOk(argv));
  await forge((argv) => one.host.runOk([...container, ...argv]), '10.250.0.2');
  await until('without the rules they are heard', () => open.packets().length === 2);
  assert.equal((await open.stop()).length, 2);
  assert.equal(await one.call('keepRules'), true);
});

test('a container reaches only the name server; another host not even that', async () => {
  const container = [
    'nsenter',
    `--net=/proc/${(await one.host.runOk(['cat', '/run/inner.pid'])).trim()}/ns/net`,
  ];
  const listeners = [
    one.host.spawn(['socat', 'TCP-LISTEN:53,fork,reuseaddr', 'SYSTEM:echo hi']),
    one.host.spawn(['socat', 'TCP-LISTEN:2379,fork,reuseaddr', 'SYSTEM:echo hi']),
    one.host.spawn(['socat', 'TCP-LISTEN:8080,fork,reuseaddr', 'SYSTEM:echo hi']),
  ];
  const reaches = async (run: (argv: string[]) => Promise<{ stdout: string }>, port: number) =>
    (await run(['socat', '-t5', '-u', `TCP:10.250.0.1:${port},connect-timeout=2`, 'STDOUT'])).stdout ===
    'hi\n';
  const inContainer = (argv: string[]) => one.host.run([...container, ...argv]);
  const onStranger = (argv: string[]) => stranger.host.run(argv);
  const onHost = (argv: string[]) => one.host.run(argv);
  try {
    for (const port of [53, 2379, 8080])
      await one.host.runOk(['sh', '-c', `until ss -Hlnt sport = :${port} | grep -q .; do sleep 0.05; done`]);
    await until('the name server is reached', () => reaches(inContainer, 53));
    await until('what is not ours is not closed', () => reaches(inContainer, 8080));
    assert.equal(await reaches(inContainer, 2379), false);
    assert.equal(await reaches(onStranger, 53), false);
    await until('hosts of the cluster go to the store', () => reaches(onStranger, 2379));
    for (const port of [53, 2379, 8080]) await until(`${port} is open here`, () => reaches(onHost, port));
  } finally {
    for (const listener of listeners) listener.kill();
  }
});

test('managed etcd: members reach the peer port, other hosts the client port, containers neither', async () => {
  const inner = (await one.host.runOk(['cat', '/run/inner.pid'])).trim();
  const container = ['nsenter', `--net=/proc/${inner}/ns/net`];
  const ports = [memberClientPort, memberPeerPort];
  const listeners = [one, stranger].flatMap(({ host }) =>
    ports.map((port) => host.spawn(['socat', `TCP-LISTEN:${port},fork,reuseaddr`, 'SYSTEM:echo hi'])),
  );
  const who = {
    'the host itself': (argv: string[]) => one.host.run(argv),
    'a member': (argv: string[]) => two.host.run(argv),
    'a stranger': (argv: string[]) => stranger.host.run(argv),
    'a container': (argv: string[]) => one.host.run([...container, ...argv]),
  };
  const reach = async ({ host }: Node, port: number) => {
    const argv = ['socat', '-t5', '-u', `TCP:${host.address}:${port},connect-timeout=2`, 'STDOUT'];
    const runs = Object.entries(who).map(async ([name, run]) =>
      (await run(argv)).stdout === 'hi\n' ? [name] : [],
    );
    return (await Promise.all(runs)).flat();
  };
  /** Waits until it is reached by all of these, and at no time by another. */
  const reachedBy = (to: Node, port: number, ...names: (string | undefined)[]) =>
    until(`${to.nickname}:${port} is reached by ${names}`, async () => {
      const found = await reach(to, port);
      assert.deepEqual(
        found.filter((name) => !names.includes(name)),
        [],
        `${to.nickname}:${port}`,
      );
      return found.length === names.length;
    });
  const everyone = Object.keys(who);
  const [self, member, outsider] = everyone;
  const closedPorts = [2379, ...ports];
  try {
    for (const { host } of [one, stranger])
      for (const port of ports)
        await host.runOk(['sh', '-c', `until ss -Hlnt sport = :${port} | grep -q .; do sleep 0.05; done`]);
    // As the engine does it, so that answers find their way back.
    await one.host.shell('iptables -t nat -A POSTROUTING -s 172.30.0.0/24 -j MASQUERADE');
    // Still open.
    for (const to of [one, stranger]) await reachedBy(to, memberPeerPort, ...everyone);
    await one.call('rules', { members: [two.host.address], closedPorts });
    await reachedBy(one, memberPeerPort, self, member);
    await reachedBy(one, memberClientPort, self, member, outsider);
    await one.call('rules', { members: [two.host.address, stranger.host.address], closedPorts });
    for (const port of ports) await reachedBy(stranger, port, self, member, outsider);
  } finally {
    for (const listener of listeners) listener.kill();
    await one.host.shell('iptables -t nat -D POSTROUTING -s 172.30.0.0/24 -j MASQUERADE');
    await one.call('rules', { members: null, closedPorts: [2379] });
  }
});

test('existing rules are left alone, of every kind, and with a thousand peers', async () => {
  const peers = Array.from({ length: 1000 }, (_, i) => `10.${250 + (i >> 9)}.${(i >> 6) & 7}.${i & 63}`);
  const kinds = [
    {},
    { peers: [...peers, two.host.address] },
    { peers: [two.host.address], exposed: [{ subnet: '10.32.0.0/12', masquerade: true }] },
    { encryption: { trustedSubnets: [] }, closedPorts: [2379, 6782] },
    { members: [two.host.address] },
    { joinOpen: true },
    { dns: null, outside: [], peers: [] },
  ];
  for (const changes of kinds) {
    await one.call('rules', changes);
    const saved = await one.host.runOk(['iptables-save']);
    assert.equal(await one.call('keepRules'), false, JSON.stringify(changes).slice(0, 100));
    assert.match(saved, /^-A INPUT -j WEAVE-INPUT$/m);
  }
  assert.doesNotMatch(await one.host.runOk(['iptables-save']), /WEAVE-P-/);
  await one.call('rules', { encryption: null, outside: ['eth0'], peers: [two.host.address] });
});

test('ports on all addresses are closed to containers over IPv6 too', async () => {
  await one.call('rules', { closedPorts: [2379] });
  const container = await one.host.runOk(['cat', '/run/inner.pid']);
  await one.host.shell(`
    nsenter --net=/proc/${container.trim()}/ns/net sh -c '
      sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth0.accept_dad=0; ip addr add fd00::2/64 dev eth0 nodad'
    sysctl -qw net.ipv6.conf.br-own.disable_ipv6=0; ip addr add fd00::1/64 dev br-own nodad`);
  const listeners = [2379, 8080].map((port) =>
    one.host.spawn(['socat', `TCP6-LISTEN:${port},fork,reuseaddr,ipv6-v6only=1`, 'SYSTEM:echo hi']),
  );
  const reaches = async (port: number) => {
    const target = `TCP6:[fd00::1]:${port},connect-timeout=5`;
    const argv = [
      'nsenter',
      `--net=/proc/${container.trim()}/ns/net`,
      'socat',
      '-t5',
      '-u',
      target,
      'STDOUT',
    ];
    return (await one.host.run(argv)).stdout === 'hi\n';
  };
  try {
    await until('8080 listens and is reached', () => reaches(8080));
    await one.host.runOk(['sh', '-c', 'until ss -Hlnt sport = :2379 | grep -q .; do sleep 0.05; done']);
    assert.equal(await reaches(2379), false);
    await one.host.runOk(['ip6tables', '-D', 'INPUT', '-j', 'WEAVE-INPUT']);
    await until('without the rules it is reached', () => reaches(2379));
    assert.equal(await one.call('keepRules'), true);
  } finally {
    for (const listener of listeners) listener.kill();
  }
});

test('flushed rules come back', async () => {
  for (const deed of [
    'iptables -F',
    'iptables -t nat -F',
    'iptables -F WEAVE-INPUT',
    'iptables -I INPUT -j ACCEPT',
  ]) {
    await one.host.shell(deed);
    assert.equal(await one.call('keepRules'), true, deed);
    assert.equal(await one.call('keepRules'), false, deed);
  }
});

test('a foreign chain that drops frames is found by a test frame, and the suggested line fixes it', async () => {
  await one.host.runOk(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1']);
  assert.equal(await one.call('probe'), 'passed');
  await one.reaches(first(one), first(two));
  const links = () => one.host.runOk(['sh', '-c', 'ls /sys/class/net']);
  const before = await links();
  const rules = `table inet mine {
    chain forward {
      type filter hook forward priority 10; policy drop;
      iifname "docker0" accept
      oifname "docker0" accept
    }
  }\n`;
  await one.host.runOk(['nft', '-f', '-'], { input: rules });
  assert.equal(await one.call('probe'), 'dropped');
  assert.equal(await one.pings(first(one), first(two)), false, 'as it is for containers');
  const line = /nft insert rule inet mine forward .*$/.exec(await one.call<string>('advice'))?.[0];
  assert.ok(line);
  await one.host.runOk(['sh', '-c', line]);
  assert.equal(await one.call('probe'), 'passed');
  await one.reaches(first(one), first(two));
  await one.host.runOk(['nft', 'delete', 'table', 'inet', 'mine']);
  await one.host.runOk(['iptables', '-t', 'mangle', '-A', 'FORWARD', '-j', 'DROP']);
  assert.equal(await one.call('probe'), 'dropped');
  assert.match(await one.call<string>('advice'), /the nft chain 'ip mangle FORWARD' drops them/);
  await one.host.runOk(['iptables', '-t', 'mangle', '-F']);
  assert.equal(await links(), before);
});

test('reset removes all our rules and leaves the others', async () => {
  await one.host.runOk(['iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', '99', '-j', 'DROP']);
  await one.call('removeRules');
  const saved = await one.host.runOk(['iptables-save']);
  assert.doesNotMatch(saved, /WEAVE/);
  assert.doesNotMatch(await one.host.runOk(['ip6tables-save']), /WEAVE/);
  assert.match(saved, /--dport 99 -j DROP/);
});

test('a packet passes few rules even with a thousand peers', () => {
  const addresses = Array.from({ length: 1000 }, (_, i) => `10.9.${i >> 8}.${i & 255}`);
  const chains = peerChains(addresses);
  const accepted = Object.values(chains)
    .flat()
    .filter((rule) => rule.endsWith('-j ACCEPT'));
  assert.deepEqual(accepted.toSorted(), addresses.map((ip) => `-s ${ip}/32 -j ACCEPT`).toSorted());
  assert.ok(Object.values(chains).every((rules) => rules.length <= 16));
  assert.deepEqual(peerChains(['10.0.0.2']), { 'WEAVE-PEERS': ['-s 10.0.0.2/32 -j ACCEPT'] });
  assert.deepEqual(peerChains([]), { 'WEAVE-PEERS': [] });
});
