/**
 * The network between two hosts: containers of `docker run` on one weavets cluster, beside the hosts' own network
 * that carries it, in turn in the same run: `npm run bench:net [-- --rounds N --seconds S --ways bridge,ovs]`.
 */
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { Host, Underlay, until } from '../test/support/host.ts';
import { startOvs } from '../test/support/ovs.ts';
import { median, quantile, table } from './statistics.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    ways: { type: 'string', default: 'bridge,encrypted,ovs' },
  },
});
const rounds = Number(values.rounds);
const seconds = values.seconds;
/** Pings of a round. */
const pings = 500;
const flagsOf: Record<string, readonly string[]> = {
  bridge: [],
  encrypted: ['--password', 'for the benchmark'],
  ovs: ['--datapath', 'ovs'],
};

/** Two ends of a connection: how a command is run at the client's and at the server's, and the server's address. */
interface Side {
  client: Runner;
  server: Runner;
  address: string;
  mtu: string;
}
type Runner = { host: Host; within: readonly string[] };

/** Of one side, over all rounds. */
interface Figures {
  /** Gbit/s */
  one: number[];
  four: number[];
  /** ms, of every ping */
  trips: number[];
}

/** What a side is called in the table. */
const labels = {
  hosts: 'hosts',
  bare: 'wireguard-go alone, between hosts',
  hand: 'bridge, veth and VXLAN by hand',
  containers: 'containers',
} as const;
type Name = keyof typeof labels;

const rows: string[][] = [];
for (const way of values.ways.split(',')) {
  const flags = flagsOf[way];
  assert.ok(flags, `--ways takes ${Object.keys(flagsOf).join()}`);
  const measured = await measure(way, flags);
  const hosts = measured.find(({ name }) => name === 'hosts') ?? assert.fail('the hosts are measured');
  for (const { name, mtu, figures } of measured) {
    const cell = (pick: (figures: Figures) => number, digits: number) =>
      `${pick(figures).toFixed(digits)}${name === 'hosts' ? '' : ` (${(pick(figures) / pick(hosts.figures)).toFixed(2)})`}`;
    rows.push([
      ...[way, labels[name], mtu],
      ...[cell(({ one }) => median(one), 2), cell(({ four }) => median(four), 2)],
      ...[cell(({ trips }) => median(trips), 3), cell(({ trips }) => quantile(trips, 0.99), 3)],
    ]);
  }
}
console.log(
  `${rounds} rounds in turn, ${seconds} s a stream, ${pings} pings a round; in brackets: to the hosts'\n`,
);
console.log(
  table(['way', 'between', 'MTU', '1 stream, Gbit/s', '4 streams', 'round trip p50, ms', 'p99, ms'], rows),
);

async function measure(way: string, flags: readonly string[]) {
  await using network = await Underlay.create();
  await using one = await Host.create({ underlay: network, number: 1, name: 'host1' });
  await using two = await Host.create({ underlay: network, number: 2, name: 'host2' });
  const urls = [
    '--listen-client-urls',
    'http://0.0.0.0:2379',
    '--advertise-client-urls',
    'http://10.250.0.1:2379',
  ];
  one.spawn(['etcd', '--data-dir', '/run/etcd', '--log-level', 'error', ...urls]);
  for (const host of [one, two]) {
    if (way === 'ovs') await startOvs(host);
    const launched = await host.weavets('launch', '--store', 'etcd://10.250.0.1:2379', ...flags);
    assert.equal(launched.code, 0, launched.stderr);
  }
  const client = await container(one, 'client');
  const server = await container(two, 'server');
  const sides = new Map<Name, Side>([
    [
      'hosts',
      {
        client: { host: one, within: [] },
        server: { host: two, within: [] },
        address: two.address,
        mtu: '1500',
      },
    ],
    ...(way === 'encrypted' ? [['bare', await bareWireguard(one, two)] as const] : []),
    ...(way === 'bridge' ? [['hand', await madeByHand(one, two)] as const] : []),
    ['containers', { ...server, client: client.server }],
  ]);
  for (const [name, side] of sides) {
    await until(`${labels[name]}: the ends reach each other`, async () => {
      const { code } = await run(side.client, ['busybox', 'ping', '-c', '1', '-W', '1', side.address]);
      return code === 0;
    });
  }
  const measured = [...sides].map(([name, side]) => {
    const figures: Figures = { one: [], four: [], trips: [] };
    return { name, side, mtu: side.mtu, figures };
  });
  for (let round = 0; round < rounds; round++) {
    for (const { side, figures } of round % 2 === 0 ? measured : measured.toReversed()) {
      figures.one.push(await throughput(side, 1));
      figures.four.push(await throughput(side, 4));
      figures.trips.push(...(await roundTrips(side)));
    }
  }
  return measured;
}

/** A tunnel of wireguard-go and nothing else: what encryption in user space can carry at all. */
async function bareWireguard(one: Host, two: Host): Promise<Side> {
  const ends = [one, two].map((host, i) => ({ host, number: i + 1 }));
  const keys = await Promise.all(
    ends.map(async ({ host }) => {
      host.spawn(['wireguard-go', '-f', 'bare']);
      await until('wireguard-go runs', async () => (await host.run(['wg', 'show', 'bare'])).code === 0);
      await host.runOk(['sh', '-c', 'umask 077 && wg genkey > /run/bare']);
      return (await host.runOk(['sh', '-c', 'wg pubkey < /run/bare'])).trim();
    }),
  );
  for (const { host, number } of ends) {
    const other = ends[2 - number] ?? assert.fail('there are two ends');
    const peer = ['peer', keys[2 - number] ?? '', 'endpoint', `${other.host.address}:7000`];
    const own = ['listen-port', '7000', 'private-key', '/run/bare'];
    await host.runOk(['wg', 'set', 'bare', ...own, ...peer, 'allowed-ips', `10.251.0.${other.number}/32`]);
    await host.runOk(['ip', 'addr', 'add', `10.251.0.${number}/24`, 'dev', 'bare']);
    await host.runOk(['ip', 'link', 'set', 'bare', 'mtu', '1420', 'up']);
  }
  const [client, server] = ends.map(({ host }) => ({ host, within: [] }));
  assert.ok(client && server);
  return { client, server, address: '10.251.0.2', mtu: '1420' };
}

/** What weavets makes of links, and nothing else: what bridge and VXLAN can carry at all. */
async function madeByHand(one: Host, two: Host): Promise<Side> {
  const ends = await Promise.all(
    [one, two].map(async (host, i) => {
      const idle = 'unshare --net sleep 1000000 >/dev/null 2>&1 & echo $!';
      const pid = (await host.runOk(['sh', '-c', idle])).trim();
      const own = (await host.runOk(['readlink', '/proc/self/ns/net'])).trim();
      await until('the namespace is there', async () => {
        const { stdout } = await host.run(['readlink', `/proc/${pid}/ns/net`]);
        return stdout.trim() !== own && stdout !== '';
      });
      const remote = i === 0 ? two.address : one.address;
      const vxlan = ['type', 'vxlan', 'id', '77', 'dstport', '4790', 'remote', remote, 'local', host.address];
      await host.runOk(['ip', 'link', 'add', 'hand', 'mtu', '1450', 'up', 'type', 'bridge']);
      await host.runOk(['ip', 'link', 'add', 'hand-vxlan', 'mtu', '1450', ...vxlan]);
      await host.runOk(['ip', 'link', 'set', 'hand-vxlan', 'master', 'hand', 'up']);
      const peer = ['peer', 'name', 'eth0', 'mtu', '1450', 'netns', pid];
      await host.runOk(['ip', 'link', 'add', 'hand-veth', 'mtu', '1450', 'type', 'veth', ...peer]);
      await host.runOk(['ip', 'link', 'set', 'hand-veth', 'master', 'hand', 'up']);
      // Where frames on bridges pass iptables, the engine's policy would drop them.
      await host.runOk(['iptables', '-I', 'FORWARD', '-i', 'hand', '-o', 'hand', '-j', 'ACCEPT']);
      const within = ['nsenter', '-n', '-t', pid];
      const address = `10.252.0.${i + 1}`;
      await host.runOk([...within, 'ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
      await host.runOk([...within, 'ip', 'link', 'set', 'eth0', 'up']);
      return { host, within, address };
    }),
  );
  const [client, server] = ends;
  assert.ok(client && server);
  return { client, server, address: server.address, mtu: '1450' };
}

/** Starts a container as a user does. Its network namespace is entered for the tools, which its image lacks. */
async function container(host: Host, name: string): Promise<Omit<Side, 'client'>> {
  await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '1000000');
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', name);
  const server: Runner = { host, within: ['nsenter', '-n', '-t', pid] };
  const { stdout } = await run(server, ['ip', '-4', '-json', 'addr', 'show', 'ethwe']);
  const [link] = JSON.parse(stdout) as { mtu: number; addr_info: { local: string }[] }[];
  const address = link?.addr_info[0]?.local;
  assert.ok(link && address, stdout);
  return { server, address, mtu: String(link.mtu) };
}

function run({ host, within }: Runner, argv: readonly string[]) {
  return host.run([...within, ...argv]);
}

/** @returns Gbit/s that arrived */
async function throughput({ client, server, address }: Side, streams: number): Promise<number> {
  const serving = run(server, ['iperf3', '--server', '--one-off']);
  await until('iperf3 listens', async () => {
    const { stdout } = await run(server, ['ss', '-Hltn', 'sport = :5201']);
    return stdout !== '';
  });
  const argv = ['iperf3', '--client', address, '--time', seconds, '--parallel', String(streams), '--json'];
  const { code, stdout } = await run(client, argv);
  assert.equal(code, 0, stdout);
  await serving;
  const { end } = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e9;
}

/** @returns ms of each ping */
async function roundTrips({ client, address }: Side): Promise<number[]> {
  const argv = ['busybox', 'ping', '-c', String(pings), '-i', '0.005', address];
  const { stdout } = await run(client, argv);
  const trips = Array.from(stdout.matchAll(/time=([\d.]+) ms/g), (match) => Number(match[1]));
  assert.equal(trips.length, pings, 'every ping is answered');
  return trips;
}
