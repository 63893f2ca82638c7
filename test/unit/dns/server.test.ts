import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import test from 'node:test';
import dns from 'dns-packet';
import { hasCode } from '../../../src/lib/errors.ts';
import { Cidr } from '../../../src/model/address.ts';
import { until } from '../../support/host.ts';
import {
  ask,
  conversation,
  data,
  edns,
  exchange,
  framed,
  nowhere,
  question,
  record,
  serve,
} from './client.ts';

/** Takes what is forwarded, and answers it with REFUSED, which we never say of such names ourselves. */
function recorder() {
  const forwarded: string[] = [];
  const forward = async (query: Buffer, transport: string) => {
    const [asked] = dns.decode(query).questions ?? [];
    forwarded.push(`${transport} ${asked?.name} ${asked?.type}`);
    const reply = Buffer.from(query);
    reply[2] = 0x80;
    reply[3] = 0x85;
    return reply;
  };
  return { forwarded, upstream: { forward } };
}

test("answers our names over UDP and TCP, with authority, the TTL, and the query's case", async () => {
  await using running = await serve({ ttl: 7 });
  running.names.add(record('bbox1', '10.32.0.1'));
  for (const transport of ['udp', 'tcp'] as const) {
    const reply = await ask(running.at, question('bBoX1.Weave.LOCAL'), transport);
    assert.equal(reply.id, 4711);
    assert.equal(reply.rcode, 'NOERROR');
    assert.deepEqual(
      [reply.flag_qr, reply.flag_aa, reply.flag_tc, reply.flag_rd, reply.flag_ra],
      [true, true, false, true, true],
    );
    assert.deepEqual(reply.questions, [{ name: 'bBoX1.Weave.LOCAL', type: 'A', class: 'IN' }]);
    const [answer] = reply.answers;
    assert.ok(answer?.type === 'A', 'an A record');
    assert.deepEqual(
      [answer.name, answer.ttl, answer.class, answer.data],
      ['bBoX1.Weave.LOCAL', 7, 'IN', '10.32.0.1'],
    );
    assert.equal(reply.answers.length, 1);
    assert.equal(reply.additionals.length, 0);
  }
});

test('answers single labels as names of the domain, and names below names', async () => {
  await using running = await serve();
  running.names.add(record('bbox2', '10.32.0.2'));
  running.names.add(record('a.b', '10.32.0.3'));
  const short = await ask(running.at, question('BBox2'));
  assert.equal(short.answers[0]?.name, 'BBox2');
  assert.deepEqual(data(short), ['10.32.0.2']);
  assert.deepEqual(data(await ask(running.at, question('a.b.weave.local'))), ['10.32.0.3']);
});

test('a known name has only an address: other types are empty, not NXDOMAIN', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  for (const type of ['AAAA', 'MX', 'TXT', 'SRV', 'NS'] as const) {
    for (const name of ['bbox1.weave.local', 'bbox1']) {
      const reply = await ask(running.at, question(name, type));
      assert.deepEqual(
        [reply.rcode, reply.answers.length, reply.flag_aa],
        ['NOERROR', 0, true],
        `${name} ${type}`,
      );
    }
  }
  // HTTPS (65) has no name in dns-packet; ANY (255) gets what there is.
  const https = question('bbox1.weave.local');
  https.writeUInt16BE(65, https.length - 4);
  assert.equal((await ask(running.at, https)).rcode, 'NOERROR');
  const any = question('bbox1.weave.local');
  any.writeUInt16BE(255, any.length - 4);
  assert.deepEqual(data(await ask(running.at, any)), ['10.32.0.1']);
});

test('an unknown name of the domain is NXDOMAIN, and is not forwarded', async () => {
  const { forwarded, upstream } = recorder();
  await using running = await serve({ upstream });
  for (const name of ['nobody.weave.local', 'a.b.NOBODY.Weave.Local']) {
    const reply = await ask(running.at, question(name));
    assert.deepEqual([reply.rcode, reply.flag_aa], ['NXDOMAIN', true]);
  }
  assert.equal((await ask(running.at, question('weave.local', 'SOA'))).rcode, 'NOERROR');
  assert.deepEqual(forwarded, []);
});

test('a name goes when its record goes', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  assert.equal((await ask(running.at, question('bbox1.weave.local'))).rcode, 'NOERROR');
  running.names.remove({ containerId: 'c1' });
  assert.equal((await ask(running.at, question('bbox1.weave.local'))).rcode, 'NXDOMAIN');
});

test('answers reverse queries for known addresses with all their names', async () => {
  const { forwarded, upstream } = recorder();
  await using running = await serve({ upstream });
  running.names.add(record('bbox1', '10.32.0.1'));
  running.names.add(record('alias', '10.32.0.1'));
  const reply = await ask(running.at, question('1.0.32.10.in-addr.arpa', 'PTR'));
  assert.deepEqual(data(reply), ['alias.weave.local', 'bbox1.weave.local']);
  assert.equal(reply.flag_aa, true);
  assert.equal((await ask(running.at, question('1.0.32.10.in-addr.arpa', 'A'))).rcode, 'NOERROR');
  assert.deepEqual(forwarded, []);
  const resolver = new Resolver();
  resolver.setServers([running.at]);
  assert.deepEqual((await resolver.reverse('10.32.0.1')).sort(), ['alias.weave.local', 'bbox1.weave.local']);
});

test('forwards other queries over the transport they came by', async () => {
  const { forwarded, upstream } = recorder();
  await using running = await serve({ upstream });
  const names = [
    'example.com',
    'nobody',
    'weave.local.example.com',
    'notweave.local',
    '9.0.32.10.in-addr.arpa',
    '.',
  ];
  for (const name of names) assert.equal((await ask(running.at, question(name))).rcode, 'REFUSED', name);
  await ask(running.at, question('example.com', 'MX'), 'tcp');
  assert.deepEqual(forwarded, [...names.map((name) => `udp ${name} A`), 'tcp example.com MX']);
});

test('when nobody upstream answers, short names are NXDOMAIN and others fail', async () => {
  await using running = await serve();
  assert.equal((await ask(running.at, question('nobody'))).rcode, 'NXDOMAIN');
  for (const name of ['example.com', '.']) {
    const reply = await ask(running.at, question(name));
    assert.deepEqual([reply.rcode, reply.flag_aa, reply.questions?.[0]?.name], ['SERVFAIL', false, name]);
  }
});

test('returns addresses in random order, each first equally often', async () => {
  await using running = await serve();
  const addresses = ['10.32.0.1', '10.32.0.2', '10.32.0.3', '10.32.0.4'];
  for (const address of addresses) running.names.add(record('web', address));
  const first = new Map<string, number>();
  const rounds = 2_000;
  for (let i = 0; i < rounds; i++) {
    const reply = await ask(running.at, question('web.weave.local'));
    assert.deepEqual(data(reply), addresses);
    const [answer] = reply.answers;
    assert.ok(answer?.type === 'A', 'an A record');
    first.set(answer.data, (first.get(answer.data) ?? 0) + 1);
  }
  // 500 expected, standard deviation 19: six of them, so that chance fails one run in a hundred million.
  for (const address of addresses)
    assert.ok(Math.abs((first.get(address) ?? 0) - 500) < 117, JSON.stringify([...first]));
});

test('reachable addresses come first, then the rest, each part in random order', async () => {
  const askers = { of: () => ({ subnets: [Cidr.parse('10.2.1.0/24')], servers: [], project: '' }) };
  await using running = await serve({ askers });
  for (const address of ['10.32.0.1', '10.32.0.2', '10.2.1.1', '10.2.1.2'])
    running.names.add(record('a', address));
  const orders = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const { answers } = await ask(running.at, question('a.weave.local'));
    const got = answers.map((answer) => String('data' in answer && answer.data));
    assert.deepEqual(got.slice(0, 2).sort(), ['10.2.1.1', '10.2.1.2']);
    assert.deepEqual(got.slice(2).sort(), ['10.32.0.1', '10.32.0.2']);
    orders.add(got.join());
  }
  assert.equal(orders.size, 4);
});

test('a name with dots is a container’s only if it is not a public name', async () => {
  const forward = async (query: Buffer) => {
    const reply = Buffer.from(query);
    const name = dns.decode(query).questions?.[0]?.name;
    reply.writeUInt16BE(name === 'example.com' ? 0x8180 : 0x8183, 2);
    return reply;
  };
  for (const upstream of [{ forward }, nowhere]) {
    await using running = await serve({ upstream });
    running.names.add(record('web.v1', '10.32.0.1'));
    running.names.add(record('example.com', '10.32.0.2'));
    assert.deepEqual(data(await ask(running.at, question('web.v1'))), ['10.32.0.1']);
    const aaaa = await ask(running.at, question('web.v1', 'AAAA'));
    assert.equal(aaaa.rcode, 'NOERROR');
    assert.deepEqual(data(aaaa), []);
    const known = data(await ask(running.at, question('example.com')));
    assert.deepEqual(known, upstream === nowhere ? ['10.32.0.2'] : []);
    assert.notEqual((await ask(running.at, question('web.v2'))).rcode, 'NOERROR');
  }
});

test('200 addresses: what fits into UDP, marked as truncated; all of them over TCP and to standard resolvers', async () => {
  await using running = await serve();
  const addresses = Array.from({ length: 200 }, (_, i) => `10.32.1.${i + 1}`).sort();
  for (const address of addresses) running.names.add(record('many', address));
  const packet = question('many.weave.local');
  const plain = await exchange(running.at, packet);
  const reply = dns.decode(plain);
  assert.equal(reply.flag_tc, true);
  assert.ok(plain.length <= 512 && plain.length > 490, `${plain.length} bytes`);
  // 12 header + 22 question + 29 * 16
  assert.equal(reply.answers?.length, 29);
  const whole = await ask(running.at, packet, 'tcp');
  assert.equal(whole.flag_tc, false);
  assert.deepEqual(data(whole), addresses);
  const resolver = new Resolver();
  resolver.setServers([running.at]);
  assert.deepEqual((await resolver.resolve4('many.weave.local')).sort(), addresses);
});

test('a thousand names with 20 addresses each, to a standard resolver', async () => {
  await using running = await serve();
  const addressesOf = (name: number) =>
    Array.from({ length: 20 }, (_, i) => `10.${32 + (name >> 8)}.${name & 255}.${i + 1}`).sort();
  const names = Array.from({ length: 1_000 }, (_, name) => name);
  for (const name of names) {
    for (const address of addressesOf(name)) running.names.add(record(`n${name}`, address));
  }
  const resolver = new Resolver();
  resolver.setServers([running.at]);
  for (const name of names) {
    assert.deepEqual((await resolver.resolve4(`n${name}.weave.local`)).sort(), addressesOf(name));
  }
});

test("EDNS: the client's size counts, from 512 to 4096, and OPT comes back", async () => {
  await using running = await serve();
  for (let i = 1; i <= 254; i++) {
    running.names.add(record('many', `10.32.1.${i}`));
    running.names.add(record('many', `10.32.2.${i}`));
  }
  for (const [asked, most] of [
    [1232, 1232],
    [65535, 4096],
    [100, 512],
  ] as const) {
    const bytes = await exchange(running.at, question('many.weave.local', 'A', edns(asked)));
    const reply = dns.decode(bytes);
    assert.ok(bytes.length <= most && bytes.length > most - 17, `${asked}: ${bytes.length} bytes`);
    assert.equal(reply.flag_tc, true);
    const [opt] = reply.additionals ?? [];
    assert.ok(opt?.type === 'OPT', 'OPT');
    assert.equal(opt.udpPayloadSize, 4096);
  }
  const secure = await ask(
    running.at,
    question('bbox.weave.local', 'A', edns(1232, { flags: dns.DNSSEC_OK })),
  );
  assert.deepEqual([secure.rcode, secure.additionals[0]?.type], ['NXDOMAIN', 'OPT']);
  const [echo] = secure.additionals;
  assert.ok(echo?.type === 'OPT' && echo.flag_do, 'DO comes back');
  const future = await ask(running.at, question('many.weave.local', 'A', edns(1232, { ednsVersion: 1 })));
  const [opt] = future.additionals;
  // BADVERS is 16: its upper bits are in OPT.
  assert.ok(opt?.type === 'OPT', 'OPT');
  assert.equal(opt.extendedRcode, 1);
  assert.deepEqual([future.rcode, future.answers.length, opt.ednsVersion], ['NOERROR', 0, 0]);
});

test('refuses what it cannot answer, with the right code', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  const good = question('bbox1.weave.local');
  const changed = (change: (packet: Buffer) => void) => {
    const packet = Buffer.from(good);
    change(packet);
    return packet;
  };
  const opt = question('bbox1.weave.local', 'A', edns(1232));
  const cases: [string, Buffer, string][] = [
    ['opcode UPDATE', changed((p) => p.writeUInt8(5 << 3, 2)), 'NOTIMP'],
    ['opcode STATUS', changed((p) => p.writeUInt8(2 << 3, 2)), 'NOTIMP'],
    ['no question', changed((p) => p.writeUInt16BE(0, 4)), 'FORMERR'],
    ['two questions', changed((p) => p.writeUInt16BE(2, 4)), 'FORMERR'],
    ['65,535 records that are not there', changed((p) => p.writeUInt16BE(65_535, 10)), 'FORMERR'],
    ['a header alone', good.subarray(0, 12), 'FORMERR'],
    ['a name cut off', good.subarray(0, 20), 'FORMERR'],
    ['a type cut off', good.subarray(0, good.length - 3), 'FORMERR'],
    ['a name that points at itself', changed((p) => p.writeUInt16BE(0xc00c, 12)), 'FORMERR'],
    ['a name that points into the header', changed((p) => p.writeUInt16BE(0xc000, 12)), 'FORMERR'],
    ['a label of a form that does not exist', changed((p) => p.writeUInt8(0x80, 12)), 'FORMERR'],
    ['OPT twice', Buffer.concat([opt, opt.subarray(-11)]), 'FORMERR'],
    ['class CH', changed((p) => p.writeUInt16BE(3, p.length - 2)), 'REFUSED'],
    ['class ANY', changed((p) => p.writeUInt16BE(255, p.length - 2)), 'REFUSED'],
  ];
  cases[11]?.[1].writeUInt16BE(2, 10);
  for (const transport of ['udp', 'tcp'] as const) {
    for (const [what, packet, rcode] of cases) {
      const reply = await ask(running.at, packet, transport);
      assert.deepEqual(
        [reply.rcode, reply.id, reply.flag_qr, reply.answers.length],
        [rcode, 4711, true, 0],
        what,
      );
    }
  }
});

test('a question that is not text is returned byte for byte', async () => {
  await using running = await serve();
  const packet = question('xxxx.weave.local');
  packet.set([0xff, 0x00, 0x2e, 0xc3], 13);
  const reply = await exchange(running.at, packet);
  assert.deepEqual(reply.subarray(12), packet.subarray(12));
  assert.equal((reply[3] ?? 0) & 15, 3);
});

test('answers neither responses nor fragments', async (t) => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  const [address = '', port = ''] = running.at.split(':');
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  const got: Buffer[] = [];
  socket.on('message', (message) => got.push(message));
  const response = question('bbox1.weave.local');
  response[2] = 0x81;
  const malformed = Buffer.from(response);
  malformed.writeUInt16BE(9, 4);
  for (const packet of [response, malformed, Buffer.alloc(0), Buffer.from([1]), Buffer.alloc(11)]) {
    socket.send(packet, Number(port), address);
  }
  // The server answers in order: once this is here, nothing more comes for those.
  socket.send(question('bbox1.weave.local'), Number(port), address);
  await until('the query is answered', () => got.length > 0);
  assert.equal(got.length, 1);
  assert.equal(dns.decode(got[0] as Buffer).answers?.length, 1);
});

test('TCP: pipelined queries, cut anywhere, are answered in order, even after a half-close', async () => {
  await using running = await serve();
  const count = 200;
  for (let i = 0; i < count; i++) running.names.add(record(`c${i}`, `10.32.0.${i}`));
  const stream = Buffer.concat(
    Array.from({ length: count }, (_, i) => framed(question(`c${i}.weave.local`, 'A', { id: i }))),
  );
  const cut = [
    stream.subarray(0, 1),
    stream.subarray(1, 50),
    stream.subarray(50, 3_001),
    stream.subarray(3_001),
  ];
  const replies = (await conversation(running.at, cut)).map((bytes) => dns.decode(bytes));
  assert.deepEqual(
    replies.map(({ id, answers: [answer] = [] }) => `${id} ${answer?.type === 'A' && answer.data}`),
    Array.from({ length: count }, (_, i) => `${i} 10.32.0.${i}`),
  );
});

test('TCP: a slow answer reaches a client that has closed its side', async () => {
  const forward = async (query: Buffer) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const reply = Buffer.from(query);
    reply[2] = 0x80;
    return reply;
  };
  await using running = await serve({ upstream: { forward } });
  const answers = await conversation(running.at, [framed(question('example.com'))]);
  assert.equal(answers.length, 1);
});

test('TCP: a client that breaks off, or reads nothing, does not affect others', async () => {
  await using running = await serve();
  for (let i = 0; i < 250; i++) running.names.add(record('many', `10.32.0.${i}`));
  const [host = '', port = ''] = running.at.split(':');
  const deaf = connect({ host, port: Number(port) });
  deaf.pause();
  // 4 KB for each: 80 MB if all were answered at once.
  const ask20k = Buffer.concat(Array.from({ length: 20_000 }, () => framed(question('many.weave.local'))));
  const before = process.memoryUsage().rss;
  deaf.write(ask20k);
  for (let i = 0; i < 50; i++) {
    const socket = connect({ host, port: Number(port) });
    await once(socket, 'connect');
    socket.write(framed(question('many.weave.local')));
    socket.resetAndDestroy();
  }
  assert.equal((await ask(running.at, question('many.weave.local'), 'tcp')).answers.length, 250);
  const grown = (process.memoryUsage().rss - before) / 1e6;
  assert.ok(grown < 60, `${grown} MB more`);
  deaf.destroy();
});

test('TCP: a client that holds all the connections it gets leaves some for others', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  const [host = '', port = ''] = running.at.split(':');
  const held = Array.from({ length: 300 }, () =>
    connect({ host, port: Number(port), localAddress: '127.0.53.9' }).on('error', () => {}),
  );
  try {
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    assert.deepEqual(data(await ask(running.at, question('bbox1.weave.local'), 'tcp')), ['10.32.0.1']);
  } finally {
    for (const socket of held) socket.destroy();
  }
});

test('says that the port is taken, and leaves nothing open', async () => {
  const udp = createSocket('udp4');
  udp.bind(0, '127.0.53.2');
  await once(udp, 'listening');
  const { port } = udp.address();
  const busy = (error: unknown) =>
    hasCode(error, 'DNS_PORT_BUSY') &&
    error.message.includes(`127.0.53.2:${port}`) &&
    error.message.includes(`ss -ulpn sport = :${port}`) &&
    error.message.includes('--dns-listen-address');
  await assert.rejects(serve({ addresses: ['127.0.53.2'], port }), busy);
  udp.close();
  await once(udp, 'close');
  const tcp = createServer().listen(port, '127.0.53.2');
  await once(tcp, 'listening');
  // The first address was free: it must be free again.
  await assert.rejects(serve({ addresses: ['127.0.53.1', '127.0.53.2'], port }), busy);
  tcp.close();
  await once(tcp, 'close');
  await using running = await serve({ addresses: ['127.0.53.1', '127.0.53.2'], port });
  running.names.add(record('bbox1', '10.32.0.1'));
  for (const address of ['127.0.53.1', '127.0.53.2']) {
    assert.deepEqual(data(await ask(`${address}:${port}`, question('bbox1'))), ['10.32.0.1']);
  }
});

test("says that an address is not one of this host's", async () => {
  await assert.rejects(
    serve({ addresses: ['192.0.2.1'] }),
    (error) => hasCode(error, 'BAD_ADDRESS') && error.message.includes('192.0.2.1'),
  );
});

test('close ends clients, drops late answers, and frees the port', async () => {
  let asked = () => {};
  let answer: (reply: Buffer | null) => void = () => {};
  const reached = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const forward = () => {
    asked();
    return new Promise<Buffer | null>((resolve) => {
      answer = resolve;
    });
  };
  const running = await serve({ upstream: { forward } });
  const [host = '', port = ''] = running.at.split(':');
  const client = connect({ host, port: Number(port) });
  await once(client, 'connect');
  const closed = once(client, 'close');
  const udp = createSocket('udp4');
  udp.send(question('example.com'), Number(port), host);
  await reached;
  const start = performance.now();
  await running.server.close();
  await closed;
  assert.ok(performance.now() - start < 9_000, 'waited for a client that idles');
  answer(null);
  udp.close();
  await using again = await serve({ port: Number(port) });
  assert.equal(again.at, `${host}:${port}`);
});
