import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import dns from 'dns-packet';
import { UpstreamDns, type UpstreamOptions } from '../../../src/dns/upstream.ts';
import { silent } from '../../../src/lib/log.ts';
import { until } from '../../support/host.ts';
import { ask, data, edns, exchange, question, record, serve } from './client.ts';

const port = 5354;
const client = { address: '172.17.0.2', servers: [] };
const names = [
  ...['--host-record=www.example.com,192.0.2.1,2001:db8::1', '--cname=alias.example.com,www.example.com'],
  ...[
    '--mx-host=example.com,mail.example.com,10',
    '--srv-host=_x._tcp.example.com,elsewhere.example.org,80,1,2',
  ],
  ...['--caa-record=example.com,0,issue,ca.example.net', '--dns-rr=odd.example.com,65280,01:02:ff'],
  ...['--host-record=short,192.0.2.9', '--ptr-record=1.2.0.192.in-addr.arpa,www.example.com'],
  ...Array.from({ length: 40 }, (_, i) => `--txt-record=big.example.com,text-number-${i}-of-many`),
];

/** dnsmasq at 127.0.54.`number`, that knows `names` and nothing else. */
async function dnsmasq(number: number, ...more: string[]): Promise<AsyncDisposable & { address: string }> {
  const address = `127.0.54.${number}`;
  const args = [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file='],
    ...[
      `--listen-address=${address}`,
      `--port=${port}`,
      '--bind-interfaces',
      '--user=root',
      '--local-ttl=60',
    ],
  ];
  const child = spawn('dnsmasq', [...args, ...more], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  await until('dnsmasq answers', () => answers(child, address));
  const dispose = async () => {
    child.kill();
    await ended;
  };
  return { address, [Symbol.asyncDispose]: dispose };
}

async function answers(child: ChildProcess, address: string): Promise<boolean> {
  assert.equal(child.exitCode, null, 'dnsmasq has ended');
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`${address}:${port}`]);
  // REFUSED is an answer too.
  const code = await resolver.resolve4('www.example.com').then(
    () => '',
    (error: NodeJS.ErrnoException) => error.code,
  );
  return code === '' || code === 'EREFUSED';
}

/** A name server that handles each query by `react`, and records where they came from. */
async function stub(address: string, react: (query: Buffer, send: (reply: Buffer) => void) => void) {
  const queries: { packet: Buffer; from: RemoteInfo }[] = [];
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (packet, from) => {
    queries.push({ packet: Buffer.from(packet), from });
    react(packet, (reply) => socket.send(reply, from.port, from.address));
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return { address, queries, [Symbol.dispose]: () => socket.close() };
}

function replyTo(query: Buffer, flags = 0x8180): Buffer {
  const reply = Buffer.from(query);
  reply.writeUInt16BE(flags, 2);
  return reply;
}

/** A folder with a resolv.conf of its own. */
async function resolvConf(...servers: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'resolv-'));
  const path = join(directory, 'resolv.conf');
  await writeFile(path, servers.map((server) => `nameserver ${server}\n`).join(''));
  return { directory, path, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

function upstream(path: string, options: Partial<UpstreamOptions> = {}) {
  const made = new UpstreamDns({
    resolvConf: path,
    own: () => [],
    port,
    // What answers is waited for; the tests of silence have less.
    timeout: 60_000,
    logger: silent,
    ...options,
  });
  return Object.assign(made, { [Symbol.dispose]: () => made.close() });
}

test('records of every type pass unchanged, byte for byte', async () => {
  await using real = await dnsmasq(1, ...names);
  await using conf = await resolvConf(real.address);
  using forwarder = upstream(conf.path);
  await using running = await serve({ upstream: forwarder });
  const packets = [
    question('www.example.com'),
    question('WWW.Example.Com', 'AAAA'),
    question('alias.example.com'),
    question('example.com', 'MX', edns(1232, { flags: dns.DNSSEC_OK })),
    question('_x._tcp.example.com', 'SRV'),
    question('example.com', 'CAA'),
    question('1.2.0.192.in-addr.arpa', 'PTR'),
    question('short'),
  ];
  const odd = question('odd.example.com');
  odd.writeUInt16BE(65_280, odd.length - 4);
  for (const packet of [...packets, odd]) {
    for (const transport of ['udp', 'tcp'] as const) {
      const direct = await exchange(`${real.address}:${port}`, packet, transport);
      assert.notEqual(dns.decode(direct).answers?.length, 0);
      assert.deepEqual(await exchange(running.at, packet, transport), direct);
    }
  }
});

test('a standard resolver sees our names and public ones; large answers come over TCP', async () => {
  await using real = await dnsmasq(1, ...names);
  await using conf = await resolvConf(real.address);
  using forwarder = upstream(conf.path);
  await using running = await serve({ upstream: forwarder });
  running.names.add(record('bbox1', '10.32.0.1'));
  const resolver = new Resolver();
  resolver.setServers([running.at]);
  assert.deepEqual(await resolver.resolve4('bbox1.weave.local'), ['10.32.0.1']);
  assert.deepEqual(await resolver.resolve4('www.example.com'), ['192.0.2.1']);
  assert.equal((await resolver.resolveTxt('big.example.com')).length, 40);
  const cut = await ask(running.at, question('big.example.com', 'TXT'));
  assert.equal(cut.flag_tc, true);
});

test('follows the file: rewritten, replaced, linked elsewhere, deleted', async () => {
  await using conf = await resolvConf('192.0.2.1');
  using forwarder = upstream(conf.path);
  const shows = (...servers: string[]) =>
    until(`servers are ${servers}`, () => forwarder.servers.join() === servers.join(), 30_000);
  assert.deepEqual(forwarder.servers, ['192.0.2.1']);
  await writeFile(conf.path, 'nameserver 192.0.2.2\n');
  await shows('192.0.2.2');
  const other = join(conf.directory, 'other');
  await writeFile(other, 'nameserver 192.0.2.3\n');
  await rename(other, conf.path);
  await shows('192.0.2.3');
  for (const address of ['192.0.2.4', '192.0.2.5']) {
    await writeFile(join(conf.directory, address), `nameserver ${address}\n`);
    await symlink(address, other);
    await rename(other, conf.path);
    await shows(address);
  }
  await rm(conf.path);
  await writeFile(join(conf.directory, 'gone'), '');
  // More than the second for which it is not read again.
  const start = performance.now();
  await until('the file was looked for again', () => {
    assert.deepEqual(forwarder.servers, ['192.0.2.5']);
    return performance.now() - start > 1_500;
  });
  await writeFile(conf.path, '');
  await shows();
});

test('takes the first three servers but ourselves, as the C library reads them', async () => {
  await using conf = await resolvConf();
  await writeFile(
    conf.path,
    [
      '# nameserver 192.0.2.9',
      'search example.com',
      'nameserver 172.17.0.1',
      '  nameserver\t127.0.0.53 ',
      'nameserver nonsense',
      'nameserver fe80::1%eth0',
      ';nameserver 192.0.2.8',
      'nameserver 2001:db8::53',
      'nameserver 192.0.2.7',
      'options ndots:2',
    ].join('\n'),
  );
  using ours = upstream(conf.path, { own: () => ['172.17.0.1:53'], port: 53 });
  assert.deepEqual(ours.servers, ['127.0.0.53', 'fe80::1%eth0', '2001:db8::53']);
  // On another port the server in the file is not us.
  using moved = upstream(conf.path, { own: () => ['172.17.0.1:5353'], port: 53 });
  assert.equal(moved.servers[0], '172.17.0.1');
  using everywhere = upstream(conf.path, { own: () => ['0.0.0.0:53'], port: 53 });
  assert.deepEqual(everywhere.servers, ['172.17.0.1', 'fe80::1%eth0', '2001:db8::53']);
});

test('a dead first server: the second answers, and immediately from then on', async () => {
  await using real = await dnsmasq(1, ...names);
  using mute = await stub('127.0.54.2', () => {});
  // Long enough for the other to answer.
  const timeout = 5_000;
  for (const dead of [mute.address, '127.0.54.3']) {
    for (const transport of ['udp', 'tcp'] as const) {
      await using conf = await resolvConf(dead, real.address);
      using forwarder = upstream(conf.path, { timeout });
      await using running = await serve({ upstream: forwarder });
      assert.deepEqual(data(await ask(running.at, question('www.example.com'), transport)), ['192.0.2.1']);
      await ask(running.at, question('www.example.com'), transport);
    }
  }
  const asked = mute.queries.map(({ packet }) => dns.decode(packet).questions?.[0]?.name);
  assert.equal(asked.filter((name) => name === 'www.example.com').length, 1);
});

test('one slow name does not count against a server that answers all others', async () => {
  await using second = await dnsmasq(1, '--host-record=www.example.com,192.0.2.99');
  using first = await stub('127.0.54.2', (query, send) => {
    const name = dns.decode(query).questions?.[0]?.name;
    if (name !== 'slow.example.com') send(replyTo(query, 0x8183));
  });
  await using conf = await resolvConf(first.address, second.address);
  using forwarder = upstream(conf.path, { timeout: 3_000 });
  for (let i = 0; i < 3; i++) await forwarder.forward(question('slow.example.com'), 'udp', client);
  const reply = await forwarder.forward(question('www.example.com'), 'udp', client);
  assert.equal((reply?.[3] ?? 0) & 15, 3, 'it is the first server that answered');
});

test('one flooding client leaves room for the others', async () => {
  using mute = await stub('127.0.54.2', () => {});
  await using conf = await resolvConf(mute.address);
  using forwarder = upstream(conf.path, { timeout: 60_000 });
  const outcomes = (address: string, count: number) => {
    const refused: number[] = [];
    const asked = { address, servers: [] };
    for (let i = 0; i < count; i++) {
      void forwarder
        .forward(question('www.example.com'), 'udp', asked)
        .then((reply) => reply === null && refused.push(i));
    }
    return refused;
  };
  const flood = outcomes('172.17.0.2', 2_000);
  const second = outcomes('172.17.0.3', 2_000);
  const good = outcomes('172.17.0.4', 100);
  await new Promise(setImmediate);
  assert.equal(flood.length, 1_500);
  assert.equal(second.length, 1_750);
  assert.equal(good.length, 0);
});

test("a client's own servers are asked", async () => {
  await using host = await dnsmasq(1, '--host-record=www.example.com,192.0.2.1');
  await using own = await dnsmasq(2, '--host-record=www.example.com,192.0.2.2');
  await using conf = await resolvConf(host.address);
  using forwarder = upstream(conf.path);
  const askers = { of: () => ({ subnets: [], project: '', servers: [own.address] }) };
  await using running = await serve({ upstream: forwarder, askers });
  assert.deepEqual(data(await ask(running.at, question('www.example.com'))), ['192.0.2.2']);
});

test('a server that refuses or fails: the next one is asked; if none answers, the refusal is returned', async () => {
  await using real = await dnsmasq(1, ...names);
  using refusing = await stub('127.0.54.2', (query, send) => send(replyTo(query, 0x8185)));
  await using both = await resolvConf(refusing.address, real.address);
  await using alone = await resolvConf(refusing.address);
  using first = upstream(both.path);
  using second = upstream(alone.path);
  const good = await first.forward(question('www.example.com'), 'udp', client);
  assert.equal(dns.decode(good as Buffer).answers?.length, 1);
  const refused = await second.forward(question('www.example.com'), 'udp', client);
  assert.equal((refused?.[3] ?? 0) & 15, 5);
  // NXDOMAIN is an answer: the next one is not asked.
  using denying = await stub('127.0.54.3', (query, send) => send(replyTo(query, 0x8183)));
  await using third = await resolvConf(denying.address, real.address);
  using last = upstream(third.path);
  const denied = await last.forward(question('www.example.com'), 'udp', client);
  assert.equal((denied?.[3] ?? 0) & 15, 3);
});

test('accepts only an answer to its own question', async () => {
  using forger = await stub('127.0.54.2', (query, send) => {
    const wrongId = replyTo(query);
    wrongId[0] = (wrongId[0] ?? 0) ^ 0x55;
    const wrongName = replyTo(query);
    wrongName[13] = 0x7a;
    const wrongType = replyTo(query);
    wrongType[wrongType.length - 3] = 28;
    const noQuestion = replyTo(query);
    noQuestion[5] = 0;
    for (const forged of [wrongId, wrongName, wrongType, noQuestion, query, Buffer.alloc(3)]) send(forged);
    const right = replyTo(query, 0x8583);
    right[14] = (right[14] ?? 0) ^ 0x20;
    send(right);
  });
  await using conf = await resolvConf(forger.address);
  using forwarder = upstream(conf.path);
  const reply = await forwarder.forward(question('www.example.com'), 'udp', client);
  // Only the right one says NXDOMAIN; its question differs in case, which servers may do.
  assert.equal((reply?.[3] ?? 0) & 15, 3);
  assert.equal(reply?.readUInt16BE(0), 4711);
});

test('uses a new id and a new port each time', async () => {
  using real = await stub('127.0.54.2', (query, send) => send(replyTo(query)));
  await using conf = await resolvConf(real.address);
  using forwarder = upstream(conf.path);
  for (let i = 0; i < 50; i++) {
    const reply = await forwarder.forward(question('www.example.com'), 'udp', client);
    assert.equal(reply?.readUInt16BE(0), 4711);
  }
  // Chance gives two of 50 the same id once in 54 runs, and the same port more often; but not five of them.
  const ids = new Set(real.queries.map(({ packet }) => packet.readUInt16BE(0)));
  const ports = new Set(real.queries.map(({ from }) => from.port));
  assert.ok(ids.size > 45 && ports.size > 45, `${ids.size} ids, ${ports.size} ports`);
});

test('queries servers with IPv6 addresses', async () => {
  using real = await stub('::1', (query, send) => send(replyTo(query)));
  await using conf = await resolvConf(real.address);
  using forwarder = upstream(conf.path);
  assert.notEqual(await forwarder.forward(question('www.example.com'), 'udp', client), null);
});

test("no answer: at once without servers; with silent ones, after each one's timeout", async () => {
  using mute = await stub('127.0.54.2', () => {});
  await using none = await resolvConf();
  await using one = await resolvConf(mute.address);
  await using running = await serve({ upstream: upstream(none.path) });
  const start = performance.now();
  assert.equal((await ask(running.at, question('www.example.com'))).rcode, 'SERVFAIL');
  assert.ok(performance.now() - start < 30_000, 'waited for nobody');
  using forwarder = upstream(one.path, { timeout: 300 });
  for (const transport of ['udp', 'tcp'] as const) {
    assert.equal(await forwarder.forward(question('www.example.com'), transport, client), null);
  }
  using missing = upstream(join(one.directory, 'missing'));
  assert.deepEqual(missing.servers, []);
});

test('at most 500 queries of one client wait; more fail at once, and closing ends them all', async () => {
  using mute = await stub('127.0.54.2', () => {});
  await using conf = await resolvConf(mute.address);
  using forwarder = upstream(conf.path, { timeout: 60_000 });
  const waiting = Array.from({ length: 500 }, () =>
    forwarder.forward(question('www.example.com'), 'udp', client),
  );
  assert.equal(await forwarder.forward(question('www.example.com'), 'udp', client), null);
  const tcp = upstream(conf.path, { timeout: 60_000 });
  const late = tcp.forward(question('www.example.com'), 'tcp', client);
  forwarder.close();
  tcp.close();
  assert.deepEqual(new Set(await Promise.all([...waiting, late])), new Set([null]));
  assert.equal(await forwarder.forward(question('www.example.com'), 'udp', client), null);
});
