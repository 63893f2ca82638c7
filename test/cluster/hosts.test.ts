import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ClusterStatus } from '../../src/control/contract.ts';
import { runOk } from '../../src/lib/exec.ts';
import type { Report } from '../../src/report/report.ts';
import type { Etcd } from '../support/etcd.ts';
import { type Host, until } from '../support/host.ts';
import {
  cable,
  crash,
  etcdOn,
  hearsMulticast,
  known,
  Lab,
  launch,
  lookup,
  pings,
  reaches,
  refusesAddress,
  reportOf,
  start,
  startAll,
  storeOf,
} from './lab.ts';

let lab: Lab;
let etcd: Etcd;
let store: string;
const host = (number: number) => lab.host(number);

before(async () => {
  lab = await Lab.create();
  etcd = await etcdOn(lab.underlay, { members: 3 });
  store = storeOf(etcd);
  await Promise.all(lab.hosts.map((on) => launch(on, '--store', store)));
});
after(async () => {
  await etcd?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

test('containers on different hosts reach each other by name; names come and go everywhere', async (t) => {
  const one = await start(host(1), 'bbox1');
  let began = performance.now();
  const passed = () => `${Math.round(performance.now() - began)} ms`;
  const two = await start(host(2), 'bbox2');
  assert.notEqual(one, two);
  began = performance.now();
  await known([host(1)], 'bbox2', two);
  const came = passed();
  await reaches(host(1), 'bbox1', 'bbox2');
  await reaches(host(2), 'bbox2', 'bbox1');
  await host(2).docker('kill', 'bbox2');
  began = performance.now();
  await known([host(1)], 'bbox2', '');
  const went = passed();
  began = performance.now();
  await lookup(host(1), 'bbox1');
  t.diagnostic(
    `on the other host a name came within ${came}, and went within ${went}; asking takes ${passed()}`,
  );
  await host(2).proxied('start', 'bbox2');
  await known([host(1)], 'bbox2', two);

  await host(2).docker('rename', 'bbox2', 'renamed');
  await known(lab.hosts, 'renamed', two);
  await known(lab.hosts, 'bbox2', '');
  await reaches(host(1), 'bbox1', 'renamed');
  await host(2).docker('rename', 'renamed', 'bbox2');
  await known(lab.hosts, 'bbox2', two);
  await known(lab.hosts, 'renamed', '');
});

test('thirty containers on each host: all distinct, named everywhere, and reachable', async (t) => {
  const restore = await manyNeighbours();
  t.after(restore);
  const names = [1, 2, 3].map((number) => Array.from({ length: 30 }, (_, i) => `m${number}-${i}`));
  const addresses = (await Promise.all(lab.hosts.map((on, i) => startAll(on, names[i] ?? [])))).flat();
  assert.equal(new Set(addresses).size, 90);
  for (const on of lab.hosts) {
    await until(`${on.name} knows all`, async () => {
      const found = new Set((await reportOf(on)).DNS?.Entries.map(({ Address }) => Address));
      return addresses.every((address) => found.has(address));
    });
  }
  const lost = await Promise.all(lab.hosts.map((on, i) => unreached(on, names[i] ?? [], addresses)));
  assert.deepEqual(lost, ['', '', '']);
  await Promise.all(lab.hosts.map((on, i) => on.docker('rm', '-f', ...(names[i] ?? []))));
  await until('their names are gone everywhere', async () => {
    const reports = await Promise.all(lab.hosts.map(reportOf));
    return reports.every(({ DNS }) => DNS?.Entries.every(({ Hostname }) => !/^m\d/.test(Hostname)));
  });
});

/** Connects to a port where nobody listens: who is there refuses. Prints those from whom nothing comes in a minute. */
const reach = `
  const addresses = process.argv.slice(1);
  const end = Date.now() + 60_000;
  const knock = (address) => {
    const socket = require('net').connect(9, address);
    const lost = setTimeout(() => { console.log(address); socket.destroy(); }, end - Date.now());
    socket.on('error', ({ code }) => {
      clearTimeout(lost);
      // On a busy machine a neighbour may be asked for in vain.
      if (code !== 'ECONNREFUSED' && Date.now() < end) setTimeout(knock, 200, address);
      else if (code !== 'ECONNREFUSED') console.log(address, code);
    });
  };
  for (const address of addresses) knock(address);
`;

/** Addresses that some of the containers do not reach. */
async function unreached(on: Host, names: readonly string[], addresses: readonly string[]): Promise<string> {
  const pids = (await on.docker('inspect', '-f', '{{.State.Pid}}', ...names)).split('\n');
  const lost: string[] = [];
  for (const pid of pids) {
    const argv = ['nsenter', '-n', '-t', pid, process.execPath, '-e', reach, ...addresses];
    lost.push(await on.runOk(argv));
  }
  return lost.join('');
}

/** All hosts have one kernel here, whose one table of neighbours is too small for three. @returns the undo */
async function manyNeighbours(): Promise<() => Promise<void>> {
  const key = 'net.ipv4.neigh.default.gc_thresh';
  const before = (await runOk(['sysctl', '-n', `${key}2`, `${key}3`])).trim().split('\n');
  const set = ([two, three]: string[]) => runOk(['sysctl', '-qw', `${key}3=${three}`, `${key}2=${two}`]);
  await set(['32768', '65536']);
  return async () => void (await set(before));
}

test("services, wildcards, ports and names of hosts are known everywhere; the asker's own host comes first", async () => {
  const service = ['com.docker.compose.project=shop', 'com.docker.compose.service=web'];
  const labels = service.flatMap((label) => ['--label', label]);
  const finds = (name: string, address: string) =>
    until(`host1 has '${address}' for ${name}`, async () => {
      return (await host(1).weavets('dns-lookup', name)).stdout.trim() === address;
    });
  const [here, there] = await Promise.all([
    start(host(1), 'shop-web-1', ...labels, '-p', '80'),
    start(host(2), 'shop-web-2', ...labels, '-p', '80'),
  ]);
  await known([host(1), host(2)], 'shop-web-1', here);
  await known([host(1), host(2)], 'shop-web-2', there);
  await host(2).weavets('dns-add', 'shop-web-2', '-h', '*.apps.weave.local');
  await finds('any.apps.weave.local', there);
  await finds('shop-web-2.host2.host.weave.local', there);
  await finds('shop-web-2.host1.host.weave.local', '');
  const exposed = (await host(2).weavets('expose')).stdout.trim();
  await finds('host2.host.weave.local', exposed);
  await host(2).weavets('hide');
  await finds('host2.host.weave.local', '');
  const dig = async (on: Host, ...question: string[]) => {
    const server = (await on.weavets('docker-bridge-ip')).stdout.trim();
    return (await on.runOk(['dig', `@${server}`, '+short', ...question])).trim().split('\n');
  };
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(await dig(host(1), 'web.shop.weave.local'), [here, there]);
    assert.deepEqual(await dig(host(2), 'web.shop.weave.local'), [there, here]);
  }
  assert.deepEqual((await dig(host(1), '_http._tcp.web.shop.weave.local', 'SRV')).sort(), [
    '0 0 80 shop-web-1.weave.local.',
    '0 0 80 shop-web-2.weave.local.',
  ]);
  const all = JSON.parse((await host(1).weavets('ps', '--all', '--json')).stdout) as {
    name: string;
    host: string;
  }[];
  assert.deepEqual(
    all.filter(({ name }) => name.startsWith('shop')).map((row) => `${row.host} ${row.name}`),
    ['host1 shop-web-1', 'host2 shop-web-2'],
  );
  await Promise.all([host(1).docker('rm', '-f', 'shop-web-1'), host(2).docker('rm', '-f', 'shop-web-2')]);
  await finds('any.apps.weave.local', '');
});

test('multicast crosses hosts', async () => {
  await hearsMulticast({ on: host(1), from: 'bbox1' }, { on: host(2), to: 'bbox2' });
});

/** Those of etcd that a host goes to. */
async function membersOf(on: Host): Promise<string[]> {
  const { stdout } = await on.weavets('cluster', 'status', '--json');
  return (JSON.parse(stdout) as ClusterStatus).members;
}

test("status shows the other hosts and etcd's members", async () => {
  const members = store.slice('etcd://'.length).split(',');
  for (const on of lab.hosts) {
    await until(`all connections of ${on.name} are established`, async () => {
      const lines = (await on.weavets('status', 'connections')).stdout.trim().split('\n');
      const good = lines.every((line) => / 10\.250\.0\.\d:6784 +established +vxlan /.test(line));
      return lines.length === 2 && good;
    });
    const { stdout } = await on.weavets('status', 'peers');
    assert.deepEqual(stdout.match(/host\d/g)?.sort(), ['host1', 'host2', 'host3']);
    assert.deepEqual(await membersOf(on), members);
    const { Router, IPAM } = JSON.parse((await on.weavets('report')).stdout) as Report;
    assert.equal(Router.Connections?.length, 2);
    assert.equal(Router.Targets, null);
    assert.equal(new Set(IPAM?.Entries.map(({ Nickname }) => Nickname)).size, 3);
  }
  const ipam = (await host(1).weavets('status', 'ipam')).stdout;
  assert.match(ipam, /\(host1\) +\d+ IPs \(.*\(\d+ active\)/);
  assert.doesNotMatch(ipam, /unreachable/);

  const [first = '', ...others] = members;
  const done = async (...args: string[]) => {
    const { code, stdout } = await host(1).weavets(...args, '--json');
    assert.deepEqual([code, stdout], [0, '{}\n']);
  };
  const url = (member: string) => `etcd://${member}`;
  await done('forget', ...others.map(url));
  assert.deepEqual(await membersOf(host(1)), [first]);
  const refused = await host(1).weavets('forget', url(first));
  assert.match(refused.stderr, /no etcd would be left/);
  await done('connect', ...others.map(url));
  await done('forget', url(first));
  assert.deepEqual(await membersOf(host(1)), others);
  const address = await start(host(1), 'elsewhere');
  await known([host(2)], 'elsewhere', address);
  await done('connect', url(first));
});

test('a full subnet: addresses free on another host are used, then no more', async () => {
  const small = ['-e', 'WEAVE_CIDR=net:10.40.0.0/30'];
  const taken = [await start(host(1), 'full-1', ...small), await start(host(1), 'full-2', ...small)];
  assert.deepEqual(taken, ['10.40.0.1', '10.40.0.2']);
  const active = async () => (await reportOf(host(1))).IPAM?.ActiveIPs ?? 0;
  const before = await active();
  await host(1).docker('rm', '-f', 'full-1');
  await until('its address is free', async () => (await active()) === before - 1);
  assert.equal(await start(host(2), 'full-3', ...small), '10.40.0.1');
  await assert.rejects(start(host(3), 'full-4', ...small), /no free address in 10\.40\.0\.0\/30/);
});

test('one of three etcd members killed: names still spread', async () => {
  const leader = await etcd.leader();
  await etcd.kill('SIGKILL', leader);
  for (const on of lab.hosts) {
    const address = await start(on, `after-${on.name}`);
    await known(lab.hosts, `after-${on.name}`, address);
  }
  etcd.launch(leader);
  await etcd.healthy();
});

test('etcd down for longer than a lease: containers still start, and are known once it is back', async () => {
  for (const member of [0, 1, 2]) await etcd.kill('SIGKILL', member);
  const address = await start(host(2), 'meanwhile');
  // Longer than a lease (10 s), and than any deadline of a call and pause between two tries.
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  assert.notEqual(await lookup(host(3), 'bbox1'), '', 'what was known stays');
  await reaches(host(1), 'bbox1', 'bbox2');
  for (const member of [0, 1, 2]) etcd.launch(member);
  await etcd.healthy();
  await known([host(3)], 'meanwhile', address);
  await until('the others are known, too', async () => (await lookup(host(3), 'bbox1')) !== '');
});

test('a host cut off: both sides keep working, and rejoin without a double address or a stale name', async (t) => {
  const here = await start(host(3), 'cut-before');
  await known([host(1)], 'cut-before', here);
  await cable(lab, 3, 'down');
  t.after(() => cable(lab, 3, 'up'));
  await known([host(1)], 'cut-before', '');
  const mine = await Promise.all(['cut-1', 'cut-2', 'cut-3'].map((name) => start(host(3), name)));
  const theirs = await Promise.all(
    ['far-1', 'far-2', 'far-3'].map((name, i) => start(host((i % 2) + 1), name)),
  );
  assert.equal(new Set([here, ...mine, ...theirs]).size, 7);
  await host(3).docker('rm', '-f', 'cut-before');
  await host(1).docker('rm', '-f', 'elsewhere');
  assert.notEqual(await lookup(host(3), 'elsewhere'), '', 'of the other side the last that was heard stays');
  await cable(lab, 3, 'up');
  for (const [i, address] of mine.entries()) await known(lab.hosts, `cut-${i + 1}`, address);
  for (const [i, address] of theirs.entries()) await known(lab.hosts, `far-${i + 1}`, address);
  for (const name of ['cut-before', 'elsewhere']) await known(lab.hosts, name, '');
  await until('traffic passes', () => pings(host(1), 'far-1', 'cut-1'));
  await reaches(host(3), 'cut-3', 'far-2');
});

test("a stopped host's names go; its addresses stay reserved", async () => {
  const address = await start(host(3), 'lonely');
  await known([host(1)], 'lonely', address);
  assert.equal((await host(3).weavets('stop')).code, 0);
  await known([host(1)], 'lonely', '');
  assert.ok(await refusesAddress(host(1), address));
  await launch(host(3), '--resume');
  await known([host(1)], 'lonely', address);
});

test('a killed daemon: its containers keep working, and it resumes where it was', async () => {
  const address = await lookup(host(1), 'lonely');
  await crash(host(3));
  await reaches(host(1), 'bbox1', 'lonely');
  await host(3).docker('rm', '-f', 'cut-1');
  await launch(host(3), '--store', store);
  await known(lab.hosts, 'lonely', address);
  await known(lab.hosts, 'cut-1', '');
});

test('a host that does not fit the cluster is refused, with advice', async () => {
  await host(3).weavets('stop');
  const refused = async (message: RegExp, ...flags: string[]) => {
    const { code, stderr } = await host(3).weavets('launch', '--store', store, ...flags);
    assert.equal(code, 1);
    assert.match(stderr, message);
  };
  await refused(
    /uses the address range 10\.32\.0\.0\/12.*--ipalloc-range 10\.32/,
    '--ipalloc-range',
    '10.128.0.0/12',
  );
  await refused(/is not encrypted; launch without --password/, '--password', 'secret');
  await refused(/are in weave\.local\..*--dns-domain weave\.local\./, '--dns-domain', 'other.local');
  const { Name } = (await reportOf(host(1))).Router;
  await refused(/10\.250\.0\.1, has the name .* --name/, '--name', Name);
  await launch(host(3), '--store', store);
});

test('a lost machine and its replacement: the names go, the addresses stay until rmpeer', async () => {
  const address = await lookup(host(1), 'lonely');
  const remove = await host(1).weavets('rmpeer', 'host3');
  assert.match(remove.stderr, /host3 is up/);
  await lab.destroy(3);
  await known([host(1), host(2)], 'lonely', '');
  await until(
    'it is forgotten',
    async () => !(await host(1).weavets('status', 'peers')).stdout.includes('host3'),
  );
  await until('it counts as away', async () =>
    /\(host3\) .* unreachable/.test((await host(1).weavets('status', 'ipam')).stdout),
  );
  assert.ok(await refusesAddress(host(1), address));

  const fresh = await lab.add('host4');
  await launch(fresh, '--store', store);
  const seen = (await fresh.weavets('status', 'dns')).stdout;
  for (const name of ['bbox1', 'bbox2', 'far-1']) assert.match(seen, new RegExp(`^${name} `, 'm'), 'at once');
  const other = await start(fresh, 'newcomer');
  assert.notEqual(other, address);
  await reaches(fresh, 'newcomer', 'bbox1');
  await until('the way back', () => pings(host(1), 'bbox1', 'newcomer'));

  // It is refused as long as the host may be there, and whenever etcd is busy.
  let removed = '';
  await until('it is removed', async () => {
    removed = (await host(1).weavets('rmpeer', 'host3')).stdout;
    return removed !== '';
  });
  assert.match(removed, /^[1-9]\d* IPs taken over from host3$/m);
  assert.doesNotMatch((await host(1).weavets('status', 'ipam')).stdout, /host3/);
  assert.equal(await start(host(1), 'heir', '-e', `WEAVE_CIDR=${address}/12`), address);
});

test('a machine that comes back empty under its name gets its addresses again, and none twice', async () => {
  const fresh = host(3);
  const before = await lookup(host(1), 'newcomer');
  await crash(fresh);
  await fresh.docker('rm', '-f', 'newcomer');
  await fresh.runOk(['sh', '-c', 'rm -rf /var/lib/weave/*; ip link del weave; ip link del vxlan-6784']);
  await launch(fresh, '--store', store);
  await known([host(1), host(2)], 'newcomer', '');
  const [one, two] = [await start(fresh, 'again-1'), await start(fresh, 'again-2')];
  assert.equal(one, before, 'the lowest of its own');
  await known([host(1)], 'again-2', two);
  await until('traffic passes', () => pings(host(1), 'bbox1', 'again-2'));
});
