import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, Underlay, until } from '../support/host.ts';

const store = 'etcd://10.250.0.1:2379';
let underlay: Underlay;
let hosts: Host[];

before(async () => {
  underlay = await Underlay.create();
  hosts = await Promise.all(
    [1, 2, 3].map((number) => Host.create({ underlay, number, name: `host${number}` })),
  );
  await startEtcd();
  for (const host of hosts) await launch(host);
});
after(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await underlay[Symbol.asyncDispose]();
});

const host = (number: number) => hosts[number - 1] as Host;

async function startEtcd(): Promise<void> {
  const urls = [
    '--listen-client-urls',
    'http://0.0.0.0:2379',
    '--advertise-client-urls',
    'http://10.250.0.1:2379',
  ];
  host(1).spawn(['etcd', '--data-dir', '/var/lib/weave-etcd', '--log-level', 'error', ...urls]);
  await until(
    'etcd answers',
    async () => (await host(1).run(['curl', '-sf', 'http://10.250.0.1:2379/health'])).code === 0,
  );
}

async function launch(on: Host, ...flags: string[]): Promise<void> {
  const { code, stderr } = await on.weavets('launch', '--store', store, ...flags);
  assert.equal(code, 0, stderr);
}

async function start(on: Host, name: string): Promise<string> {
  await on.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
  const shown = await on.docker('exec', name, 'ip', '-4', 'addr', 'show', 'ethwe');
  return /inet ([\d.]+)\//.exec(shown)?.[1] ?? assert.fail(shown);
}

const lookup = async (on: Host, name: string) => (await on.weavets('dns-lookup', name)).stdout.trim();
const pings = async (on: Host, from: string, to: string) =>
  (await on.run(['docker', 'exec', from, 'ping', '-c', '1', '-W', '3', to])).stdout.includes(
    ' 0% packet loss',
  );

test('containers on different hosts reach each other by name', async () => {
  const one = await start(host(1), 'bbox1');
  const two = await start(host(2), 'bbox2');
  assert.notEqual(one, two);
  await until('host1 knows bbox2', async () => (await lookup(host(1), 'bbox2')) === two, 2_000);
  await until('bbox1 reaches bbox2', () => pings(host(1), 'bbox1', 'bbox2'));
  assert.ok(await pings(host(2), 'bbox2', 'bbox1'));
});

test('thirty containers on three hosts: all distinct, all named everywhere', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `m${i}`);
  const addresses = await Promise.all(names.map((name, i) => start(host((i % 3) + 1), name)));
  assert.equal(new Set(addresses).size, names.length);
  for (const on of hosts) {
    await until(`${on.name} knows all`, async () => {
      const known = (await on.weavets('status', 'dns')).stdout;
      return addresses.every((address) => known.includes(`${address} `));
    });
  }
  for (const name of ['m1', 'm2']) assert.ok(await pings(host(1), 'm0', name), name);
  await Promise.all(hosts.map((on, i) => on.docker('rm', '-f', ...names.filter((_, n) => n % 3 === i))));
  await until('their names are gone everywhere', async () => {
    const known = await Promise.all(hosts.map((on) => on.weavets('status', 'dns')));
    return known.every(({ stdout }) => !/^m\d/m.test(stdout));
  });
});

test('multicast crosses hosts', async () => {
  const pid = async (on: Host, name: string) => on.docker('inspect', '-f', '{{.State.Pid}}', name);
  const inNetns = (of: string, ...argv: string[]) => ['nsenter', '-n', '-t', of, ...argv];
  const receiver = host(2).spawn(
    inNetns(
      await pid(host(2), 'bbox2'),
      'socat',
      '-u',
      'UDP4-RECVFROM:5001,ip-add-membership=239.7.7.7:ethwe',
      '-',
    ),
  );
  let heard = '';
  receiver.stdout?.on('data', (text) => {
    heard += text;
  });
  const sender = inNetns(await pid(host(1), 'bbox1'), 'socat', '-u', '-', 'UDP4-DATAGRAM:239.7.7.7:5001');
  await until('it is heard', async () => {
    await host(1).runOk(sender, { input: 'to all' });
    return heard.startsWith('to all');
  });
});

test('etcd down: containers start all the same, and are known once it is back', async () => {
  await host(1).runOk(['pkill', '-x', 'etcd']);
  const address = await start(host(2), 'meanwhile');
  await startEtcd();
  await until('host3 knows it', async () => (await lookup(host(3), 'meanwhile')) === address);
  assert.equal((await lookup(host(3), 'bbox1')) !== '', true);
});

test('a host that is stopped takes its names along; its addresses stay its own', async () => {
  const address = await start(host(3), 'lonely');
  await until('host1 knows lonely', async () => (await lookup(host(1), 'lonely')) === address);
  assert.equal((await host(3).weavets('stop')).code, 0);
  await until('its names are gone', async () => (await lookup(host(1), 'lonely')) === '');
  const claim = await host(1).run([
    'docker',
    '-H',
    'unix:///var/run/weave/weave.sock',
    'run',
    '--rm',
    '-e',
    `WEAVE_CIDR=${address}/12`,
    'busybox',
    'true',
  ]);
  assert.notEqual(claim.code, 0);
  await launch(host(3));
  await until('it is back', async () => (await lookup(host(1), 'lonely')) === address);
});

test('status tells of the other hosts', async () => {
  await until('all connections are established', async () => {
    const lines = (await host(1).weavets('status', 'connections')).stdout.trim().split('\n');
    return (
      lines.length === 2 && lines.every((line) => / established vxlan/.test(line.replaceAll(/ +/g, ' ')))
    );
  });
  assert.equal(
    (await host(1).weavets('status', 'peers')).stdout.match(/host[123]/g)?.includes('host3'),
    true,
  );
});

test('a host with another range is refused', async () => {
  await host(3).weavets('stop');
  const { code, stderr } = await host(3).weavets(
    'launch',
    '--store',
    store,
    '--ipalloc-range',
    '10.128.0.0/12',
  );
  assert.equal(code, 1);
  assert.match(stderr, /uses the address range 10\.32\.0\.0\/12/);
});
