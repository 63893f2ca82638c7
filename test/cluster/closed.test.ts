/** Who reaches what: three hosts, of which the third takes no part, and an etcd on the first. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Capture } from '../support/capture.ts';
import { Etcd } from '../support/etcd.ts';
import { Host, repository, Underlay, until } from '../support/host.ts';
import { launch, pings, start, storeOf } from './lab.ts';

let underlay: Underlay;
let one: Host;
let two: Host;
let stranger: Host;
let etcd: Etcd;
/** port of the etcd, for clients */
let storePort: number;

before(async () => {
  underlay = await Underlay.create();
  one = new Host({ underlay, number: 1, name: 'host1' });
  two = new Host({ underlay, number: 2, name: 'host2' });
  stranger = new Host({ underlay, number: 3, name: 'host3', engine: false });
  await Promise.all([one, two, stranger].map((host) => host.start()));
  etcd = await Etcd.start({ at: { netns: one.netns, address: one.address } });
  storePort = Number(new URL(etcd.endpoints[0] ?? '').port);
  for (const host of [one, two]) await launch(host, '--store', storeOf(etcd));
  for (const host of [one, two]) {
    await host.docker('network', 'create', 'own');
    await host.docker('run', '-d', '--name', 'plain', 'busybox', 'sleep', '100000');
    await host.docker('run', '-d', '--name', 'owned', '--net', 'own', 'busybox', 'sleep', '100000');
    await start(host, 'woven', '--net', 'none');
  }
});
after(async () => {
  await etcd?.[Symbol.asyncDispose]();
  for (const host of [one, two, stranger]) await host?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

/** The row of docs/security.md for each port, `53/udp`: who may reach it. */
function table(): Map<string, Record<string, boolean>> {
  const text = readFileSync(join(repository, 'docs/security.md'), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| \d/.test(line));
  return new Map(
    rows.flatMap((row) => {
      const [, ports = '', , host, containers, peers, others] = row.split('|').map((cell) => cell.trim());
      const who = {
        host: host === 'yes',
        containers: containers === 'yes',
        peers: peers === 'yes',
        others: others === 'yes',
      };
      return ports.split(', ').map((port) => [port, who] as const);
    }),
  );
}

/** Where the daemon and the kernel's VXLAN of a host listen, `53/udp` to addresses, and the store. */
async function listening(host: Host): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const [kind, flag] of [
    ['tcp', '-Hlntp'],
    ['udp', '-Hlnup'],
  ] as const) {
    for (const line of (await host.runOk(['ss', flag])).trim().split('\n')) {
      const [, , , local = '', , ...users] = line.split(/\s+/);
      const [address = '', port = ''] = [local.slice(0, local.lastIndexOf(':')), local.split(':').at(-1)];
      const ours = /"node"/.test(users.join(' ')) || (users.join('') === '' && kind === 'udp');
      if (!ours && Number(port) !== storePort) continue;
      const known = Number(port) === storePort ? '2379/tcp' : `${port}/${kind}`;
      found.set(known, [...(found.get(known) ?? []), address.replace(/%.*/, '')]);
    }
  }
  return found;
}

/**
 * Asks, in one go: whether a TCP port takes connections; whether a UDP port answers what its protocol asks. The answer
 * to VXLAN is that its link hears the frame.
 */
const asking = `
  const [port, kind, ...addresses] = process.argv.slice(1);
  const question = { 53: '000101000001000000000000' + '05686f73743105776561766505' + '6c6f63616c0000010001', 6783: Buffer.from('weavets?').toString('hex') }[port]
    ?? '08000000001a8000ffffffffffff020000009999' + '0'.repeat(100);
  const tcp = (host) => new Promise((done) => {
    const socket = require('node:net').connect({ host, port });
    const end = (reached) => { socket.destroy(); done(reached); };
    socket.on('connect', () => end(true)).on('error', () => end(false));
    setTimeout(end, 2000, false);
  });
  const udp = (host) => new Promise((done) => {
    const socket = require('node:dgram').createSocket('udp4');
    const end = (reached) => { socket.close(); done(reached); };
    socket.on('message', () => end(true)).on('error', () => {});
    const ask = () => socket.send(Buffer.from(question, 'hex'), Number(port), host, () => {});
    // The heartbeat answers to its own port.
    if (port === '6783') socket.bind(6783, ask); else ask();
    setTimeout(() => { try { end(false); } catch {} }, 2000);
  });
  Promise.all(addresses.map(kind === 'tcp' ? tcp : udp)).then((all) => console.log(all.some(Boolean)));
`;

/** True if who runs argv by `run` reaches this port of the first host by any of its addresses. */
async function reaches(run: (argv: string[]) => Promise<string>, what: string, addresses: readonly string[]) {
  const [port = '', kind = ''] = what.split('/');
  const number = port === '2379' ? String(storePort) : port;
  const ask = async () =>
    (await run([process.execPath, '-e', asking, number, kind, ...addresses])).trim() === 'true';
  if (what !== '6784/udp') return ask();
  const frames = await Capture.start(one, 'vxlan-6784', 'ether src 02:00:00:00:99:99');
  await ask();
  return (await frames.stop()).length > 0;
}

const within = async (host: Host, container: string) => {
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', container);
  return (argv: string[]) => host.runOk(['nsenter', '-n', '-t', pid, ...argv]);
};

test('the address of an exposed host is known on the others, without a name too', async () => {
  const address = (await one.weavets('expose')).stdout.trim();
  await until('a container there reaches it', () => pings(two, 'woven', address));
  const { stdout } = await one.weavets('hide');
  assert.equal(stdout.trim(), address);
  await until('it is gone there', async () => !(await pings(two, 'woven', address)));
});

test('each port that listens is in the table, and open to those it names alone', async () => {
  const rows = table();
  const exposed = (await one.weavets('expose')).stdout.trim();
  const gateways = ['172.17.0.1', '172.18.0.1', one.address, exposed];
  const ports = await listening(one);
  assert.ok(
    ['53/udp', '53/tcp', '6782/tcp', '6783/udp', '6784/udp', '2379/tcp'].every((port) => ports.has(port)),
  );
  const sources = {
    host: [(argv: string[]) => one.runOk(argv)],
    containers: [await within(one, 'plain'), await within(one, 'owned'), await within(one, 'woven')],
    peers: [(argv: string[]) => two.runOk(argv)],
    others: [(argv: string[]) => stranger.runOk(argv)],
  };
  await stranger.runOk(['ip', 'route', 'add', '172.16.0.0/12', 'via', one.address]);
  // Each whose packets can get to a service's address: the way to it and back is a container's own business.
  await (await within(one, 'woven'))(['ip', 'route', 'add', 'default', 'via', exposed]);
  assert.match((await one.weavets('status', 'connections')).stdout, /established/);
  for (const [what, listeners] of ports) {
    const row = rows.get(what);
    assert.ok(row, `${what} on ${listeners} is not in docs/security.md`);
    for (const who of ['host', 'containers', 'peers', 'others'] as const)
      for (const [i, run] of sources[who].entries()) {
        // Their own daemons have the port; that they hear each other is what `established` says.
        if (what === '6783/udp' && (who === 'host' || who === 'peers')) continue;
        // A host with an engine of its own has the gateways' addresses itself.
        const addresses = {
          host: [...gateways, '127.0.0.1'],
          containers: gateways,
          peers: [one.address, exposed],
          others: gateways,
        }[who];
        assert.equal(await reaches(run, what, addresses), row[who], `${what} from ${who} ${i}`);
      }
  }
});

test('containers of another host do not reach the store either', async () => {
  for (const name of ['plain', 'owned'])
    assert.equal(await reaches(await within(two, name), '2379/tcp', [one.address]), false, name);
});

test('a host that lets nothing in: frames between hosts pass, and names are answered on every bridge', async () => {
  await two.shell(`
    iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -A INPUT -i lo -j ACCEPT; iptables -P INPUT DROP`);
  const address = await start(two, 'guarded');
  assert.ok(await pings(one, 'woven', address));
  for (const name of ['plain', 'owned']) {
    const { stdout, code } = await two.run([
      ...['docker', '-H', 'unix:///var/run/docker.sock', 'exec', name],
      ...['nslookup', 'guarded.weave.local', '172.17.0.1'],
    ]);
    assert.equal(code, 0, stdout);
    assert.ok(stdout.includes(address), stdout);
  }
  const { stdout } = await two.weavets('status', 'connections');
  assert.match(stdout, /established/);
  await two.shell('iptables -P INPUT ACCEPT');
});

test('a network that is made over the range is a warning as long as it is there', async () => {
  const warns = async () =>
    /Warning: .*10\.40\.0\.0\/16 .*over the address range/.test((await one.weavets('status')).stdout);
  assert.equal(await warns(), false);
  await one.docker('network', 'create', '--subnet', '10.40.0.0/16', 'over');
  await until('status warns of it', warns);
  const { stderr } = await one.weavets('ps', '--why');
  assert.match(stderr, /^warning: the host's route 10\.40\.0\.0\/16/m);
  await one.docker('network', 'rm', 'over');
  await until('the warning is gone', async () => !(await warns()));
});

test("a host's address or MTU that changes while it runs is a warning until it is what it was", async () => {
  const status = async () => (await two.weavets('status')).stdout;
  const ip = (...args: string[]) => two.runOk(['ip', ...args]);
  await ip('link', 'set', 'eth0', 'mtu', '1300');
  await until('the MTU is told', async () =>
    /Warning: the MTU of eth0 was 1500 and is 1300/.test(await status()),
  );
  await ip('link', 'set', 'eth0', 'mtu', '1500');
  await until('all is well', async () => !/Warning/.test(await status()));
  const move = async (from: string, to: string) => {
    await ip('addr', 'del', `${from}/24`, 'dev', 'eth0');
    await ip('addr', 'add', `${to}/24`, 'dev', 'eth0');
    await ip('route', 'replace', 'default', 'via', '10.250.0.254');
  };
  await move(two.address, '10.250.0.22');
  const told = /Warning: this host's address towards the other hosts was 10\.250\.0\.2 and is 10\.250\.0\.22/;
  await until('the address is told', async () => told.test(await status()));
  await move('10.250.0.22', two.address);
  await until('all is well again', async () => !/Warning/.test(await status()));
});

test("another program's firewall that stops containers' frames is named, with the line that lets them through", async () => {
  const rules = `table inet mine {\n chain forward {\n type filter hook forward priority 10; policy drop;
    iifname "docker0" accept\n oifname "docker0" accept\n }\n}\n`;
  await one.runOk(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1']);
  await one.runOk(['nft', '-f', '-'], { input: rules });
  await one.weavets('stop');
  const launched = await one.weavets('launch', '--store', storeOf(etcd));
  const line =
    /^warning: frames between containers do not pass .*let them through with: (nft insert rule .*)$/m.exec(
      launched.stderr,
    )?.[1];
  assert.ok(line, launched.stderr);
  assert.equal((await one.shell(line)).code, 0);
  await one.weavets('stop');
  assert.doesNotMatch((await one.weavets('launch', '--store', storeOf(etcd))).stderr, /frames between/);
  const address = await start(one, 'last');
  assert.ok(await pings(two, 'woven', address));
});
