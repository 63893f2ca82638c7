/** Who reaches what: three hosts, the third not part of the network, and an etcd on the first. */
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

/** A row of docs/security.md: who may reach a port. */
interface Row {
  host: boolean;
  containers: boolean;
  peers: boolean;
  others: boolean;
}

function table(): Map<string, Row> {
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

/** A question that the service of a UDP port answers, in hex; to VXLAN, a frame of a MAC that ends in the source's number. */
const questions: Record<string, (source: number) => string> = {
  '53/udp': () => '00010100000100000000000005686f73743105776561766505' + '6c6f63616c0000010001',
  '6783/udp': () => Buffer.from('weavets?').toString('hex'),
  '6784/udp': (source) => `08000000001a8000ffffffffffff0200000099${hex(source)}${'0'.repeat(100)}`,
};
const hex = (number: number) => number.toString(16).padStart(2, '0');

/**
 * Asks all at once, by every address: whether a TCP port takes connections, whether a UDP port answers. What is dropped
 * is waited for, and asked again.
 */
const asking = `
  const { targets, addresses } = JSON.parse(process.argv[1]);
  const wait = 15_000;
  const tcp = (port, host) => new Promise((done) => {
    const socket = require('node:net').connect({ host, port });
    const end = (reached) => { socket.destroy(); done(reached); };
    socket.on('connect', () => end(true)).on('error', () => end(false));
    setTimeout(end, wait, false);
  });
  const udp = (port, host, question) => new Promise((done) => {
    const socket = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
    const ask = () => socket.send(Buffer.from(question, 'hex'), port, host, () => {});
    const again = setInterval(ask, 1000);
    const end = (reached) => { clearInterval(again); done(reached); };
    socket.on('message', () => end(true)).on('error', () => {});
    // The heartbeat answers to its own port.
    if (port === 6783) socket.bind(port, ask); else ask();
    setTimeout(end, wait, false);
  });
  Promise.all(targets.map(async ({ what, port, question }) => {
    const ways = addresses.map((host) => question === null ? tcp(port, host) : udp(port, host, question));
    return (await Promise.all(ways)).some(Boolean) ? [what] : [];
  })).then((reached) => { console.log(JSON.stringify(reached.flat())); process.exit(0); });
`;

/** A source: how to run a command there, and the first host's addresses that it can use. */
interface Source {
  run: (argv: string[]) => Promise<string>;
  addresses: readonly string[];
}

/** The ports that each source reaches; VXLAN by what its link receives. */
async function reached(sources: readonly Source[], ports: readonly string[]): Promise<string[][]> {
  const frames = await Capture.start(one, 'vxlan-6784', 'ether[6:4] = 0x02000000 and ether[10] = 0x99');
  const answers = await Promise.all(
    sources.map(async ({ run, addresses }, source) => {
      const targets = ports.map((what) => {
        const port = what === '2379/tcp' ? storePort : Number.parseInt(what, 10);
        return { what, port, question: questions[what]?.(source) ?? null };
      });
      const answer = await run([process.execPath, '-e', asking, JSON.stringify({ targets, addresses })]);
      return JSON.parse(answer) as string[];
    }),
  );
  const heard = new Set((await frames.stop()).map((frame) => frame[11]));
  return answers.map((found, source) => [...found, ...(heard.has(source) ? ['6784/udp'] : [])].sort());
}

const established = async (host: Host) =>
  (await host.weavets('status', 'connections')).stdout.includes('established');

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
  const listeners = await listening(one);
  const ports = [...listeners.keys()].sort();
  const expected = ['2379/tcp', '53/tcp', '53/udp', '6782/tcp', '6783/udp', '6784/udp'];
  assert.deepEqual(ports, expected, JSON.stringify([...listeners]));
  await stranger.runOk(['ip', 'route', 'add', '172.16.0.0/12', 'via', one.address]);
  // The way to a service and back is a container's own business; this one has it.
  await (await within(one, 'woven'))(['ip', 'route', 'replace', 'default', 'via', exposed]);
  const sources: { who: keyof Row; source: Source }[] = [
    { who: 'host', source: { run: (argv) => one.runOk(argv), addresses: [...gateways, '127.0.0.1'] } },
    { who: 'containers', source: { run: await within(one, 'plain'), addresses: gateways } },
    { who: 'containers', source: { run: await within(one, 'owned'), addresses: gateways } },
    { who: 'containers', source: { run: await within(one, 'woven'), addresses: gateways } },
    // It has the gateways' addresses itself.
    { who: 'peers', source: { run: (argv) => two.runOk(argv), addresses: [one.address, exposed] } },
    { who: 'others', source: { run: (argv) => stranger.runOk(argv), addresses: gateways } },
  ];
  const found = await reached(
    sources.map(({ source }) => source),
    ports,
  );
  // The hosts' own daemons have the heartbeat's port; that they hear each other is what `established` says.
  await until('they hear each other', () => established(one));
  for (const [i, { who }] of sources.entries()) {
    const open = ports.filter((what) => rows.get(what)?.[who]);
    const asked = (what: string) => what !== '6783/udp' || (who !== 'host' && who !== 'peers');
    assert.deepEqual(found[i]?.filter(asked), open.filter(asked), `${who} ${i}`);
  }
});

test('containers of another host do not reach the store either', async () => {
  const names = ['plain', 'owned'];
  const sources = names.map(async (name) => ({ run: await within(two, name), addresses: [one.address] }));
  assert.deepEqual(await reached(await Promise.all(sources), ['2379/tcp']), [[], []]);
});

test('a host that accepts nothing: frames between hosts pass, and names resolve on every bridge', async () => {
  await two.shell(`
    iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -A INPUT -i lo -j ACCEPT; iptables -P INPUT DROP`);
  const address = await start(two, 'guarded');
  await until('it is reached from the other host', () => pings(one, 'woven', address));
  for (const name of ['plain', 'owned']) {
    const { stdout, code } = await two.run([
      ...['docker', '-H', 'unix:///var/run/docker.sock', 'exec', name],
      ...['nslookup', 'guarded.weave.local', '172.17.0.1'],
    ]);
    assert.equal(code, 0, stdout);
    assert.ok(stdout.includes(address), stdout);
  }
  await until('the hosts hear each other', async () => (await established(one)) && (await established(two)));
  await two.shell('iptables -P INPUT ACCEPT');
});

test('a network that overlaps the range causes a warning while it exists', async () => {
  const warns = async () =>
    /Warning: .*10\.40\.0\.0\/16 .*overlaps the address range/.test((await one.weavets('status')).stdout);
  assert.equal(await warns(), false);
  await one.docker('network', 'create', '--subnet', '10.40.0.0/16', 'over');
  await until('status warns of it', warns);
  const { stderr } = await one.weavets('ps', '--why');
  assert.match(stderr, /^warning: the host's route 10\.40\.0\.0\/16/m);
  await one.docker('network', 'rm', 'over');
  await until('the warning is gone', async () => !(await warns()));
});

test("a host's address that changes while it runs is followed; its MTU is a warning until it is reverted", async () => {
  const status = async () => (await two.weavets('status')).stdout;
  const ip = (...args: string[]) => two.runOk(['ip', ...args]);
  await ip('link', 'set', 'eth0', 'mtu', '1300');
  await until('the MTU is told', async () =>
    /Warning: the MTU of eth0 was 1500 and is now 1300/.test(await status()),
  );
  await ip('link', 'set', 'eth0', 'mtu', '1500');
  await until('all is well', async () => !/Warning/.test(await status()));
  const move = async (from: string, to: string) => {
    await ip('addr', 'del', `${from}/24`, 'dev', 'eth0');
    await ip('addr', 'add', `${to}/24`, 'dev', 'eth0');
    await ip('route', 'replace', 'default', 'via', '10.250.0.254');
  };
  await move(two.address, '10.250.0.22');
  const told =
    /Healed: this host's address towards the other hosts was 10\.250\.0\.2 and is now 10\.250\.0\.22/;
  await until('the address is followed', async () => told.test(await status()));
  const woven = /woven \S+ ([\d.]+)\//.exec((await two.weavets('ps', 'woven')).stdout)?.[1] ?? '';
  await until('it is reached there', () => pings(one, 'woven', woven));
  assert.match(await one.runOk(['bridge', 'fdb', 'show', 'dev', 'vxlan-6784']), /dst 10\.250\.0\.22 /);
  await move('10.250.0.22', two.address);
  await until('it is reached at its former address', async () => {
    const { stdout } = await one.run(['bridge', 'fdb', 'show', 'dev', 'vxlan-6784']);
    return !stdout.includes('10.250.0.22') && (await pings(one, 'woven', woven));
  });
  await until('nothing is warned of', async () => !/Warning/.test(await status()));
});

test("a foreign firewall that drops containers' frames is named, with the line that fixes it", async () => {
  const rules = `table inet mine {\n chain forward {\n type filter hook forward priority 10; policy drop;
    iifname "docker0" accept\n oifname "docker0" accept\n }\n}\n`;
  await one.runOk(['sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=1']);
  await one.runOk(['nft', '-f', '-'], { input: rules });
  await one.weavets('stop');
  const launched = await one.weavets('launch', '--store', storeOf(etcd));
  const line =
    /^warning: the host's firewall drops frames between containers.*let them through with: (nft insert rule .*)$/m.exec(
      launched.stderr,
    )?.[1];
  assert.ok(line, launched.stderr);
  assert.equal((await one.shell(line)).code, 0);
  await one.weavets('stop');
  assert.doesNotMatch((await one.weavets('launch', '--store', storeOf(etcd))).stderr, /frames between/);
  const address = await start(one, 'last');
  await until('it is reached from the other host', () => pings(two, 'woven', address));
});
