import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import dns from 'dns-packet';
import fc from 'fast-check';
import { frame } from '../../src/dns/frames.ts';
import { NameTable } from '../../src/dns/names.ts';
import { Responder } from '../../src/dns/responder.ts';
import { UpstreamDns } from '../../src/dns/upstream.ts';
import { encodeRefusal, endOfQuestion, readQuery, udpLimit } from '../../src/dns/wire.ts';
import { silent } from '../../src/lib/log.ts';
import { edns, question, record } from '../unit/dns/client.ts';
import { type FuzzOptions, runs } from './target.ts';

/** A packet with a few bytes changed, some cut off or added. */
function mutated(good: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .record({
      good,
      changes: fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
      length: fc.nat(80),
      tail: fc.uint8Array({ maxLength: 20 }),
    })
    .map(({ good, changes, length, tail }) => {
      const packet = Buffer.concat([good.subarray(0, length), tail]);
      for (const [offset, value] of changes) if (offset < packet.length) packet[offset] = value;
      return packet;
    });
}

const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

/** Queries, bent and noise. */
export const queries = fc.oneof(
  noise,
  mutated(
    fc.constantFrom(
      question('bbox1.weave.local'),
      question('bbox1', 'AAAA', edns(1232)),
      question('1.0.32.10.in-addr.arpa', 'PTR', edns(4096)),
      question('_80._tcp.bbox1.weave.local', 'SRV'),
    ),
  ),
);

/** Whatever comes, the answer is none, or a response with the same id within the limit. @returns the check of one packet */
export function queryCheck(): (packet: Buffer) => void {
  const names = new NameTable();
  for (let i = 1; i < 100; i++) names.add(record('bbox1', `10.32.0.${i}`));
  names.setPorts('c1', ['80/tcp', '53/udp']);
  const responder = new Responder({
    domain: 'weave.local.',
    ttl: 1,
    self: 'here',
    names,
    hosts: { find: () => [] },
  });
  return (packet) => {
    const query = readQuery(packet);
    if (query === null) return;
    const limit = typeof query === 'number' ? 12 : udpLimit(query);
    const reply = typeof query === 'number' ? encodeRefusal(packet, query) : responder.answer(query, limit);
    if (reply === null) return;
    assert.ok(reply.length <= limit && reply.length >= 12, `${reply.length} bytes`);
    assert.equal(reply.readUInt16BE(0), packet.readUInt16BE(0));
    assert.equal((reply[2] ?? 0) & 0x80, 0x80);
  };
}

/** Queries against the responder. */
export function fuzzQueries(options: FuzzOptions): void {
  fc.assert(fc.property(queries, queryCheck()), runs(options));
}

const asked = question('www.example.com');

function answerTo(request: Buffer): Buffer {
  return dns.encode({
    type: 'response',
    id: request.readUInt16BE(0),
    questions: [{ name: 'www.example.com', type: 'A' }],
    answers: [{ name: 'www.example.com', type: 'A', ttl: 1, data: '192.0.2.1' }],
  });
}

/** Bent answers; the id is the query's in most, as a forger would have it. */
const answers = fc.array(
  fc.record({ packet: fc.oneof(noise, mutated(fc.constant(answerTo(asked)))), guessed: fc.boolean() }),
  { maxLength: 5 },
);

/** Whatever a server upstream answers before the right thing: what is taken is an answer to the question. */
export async function fuzzUpstream(options: FuzzOptions): Promise<void> {
  const address = '127.0.55.1';
  let script: { packet: Buffer; guessed: boolean }[] = [];
  const replies = (request: Buffer) => [
    ...script.map(({ packet, guessed }) => {
      if (guessed && packet.length >= 2) packet.writeUInt16BE(request.readUInt16BE(0));
      return packet;
    }),
    answerTo(request),
  ];
  const udp = createSocket('udp4');
  udp.on('message', (request, { port, address: to }) => {
    for (const reply of replies(request)) udp.send(reply, port, to);
  });
  udp.bind(0, address);
  await once(udp, 'listening');
  const { port } = udp.address();
  const tcp = createServer((client) => {
    client.on('error', () => {});
    client.once('data', (framed) => {
      for (const reply of replies(framed.subarray(2))) client.write(frame(reply));
    });
  });
  tcp.listen(port, address);
  await once(tcp, 'listening');
  const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
  const resolvConf = join(dir, 'resolv.conf');
  await writeFile(resolvConf, `nameserver ${address}\n`);
  const upstream = new UpstreamDns({ resolvConf, own: () => [], port, timeout: 60_000, logger: silent });
  // Each has a share of its own.
  let count = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        answers,
        fc.constantFrom('udp' as const, 'tcp' as const),
        async (packets, transport) => {
          script = packets;
          const reply = await upstream.forward(asked, transport, { address: `asker${count++}`, servers: [] });
          assert.ok(reply !== null && reply.length >= 12);
          assert.equal(reply.readUInt16BE(0), asked.readUInt16BE(0));
          assert.equal((reply[2] ?? 0) & 0x80, 0x80);
          if (reply.readUInt16BE(4) === 0) return assert.notEqual((reply[3] ?? 0) & 15, 0);
          assert.equal(questionOf(reply), questionOf(asked));
        },
      ),
      runs(options),
    );
  } finally {
    upstream.close();
    udp.close();
    tcp.close();
    await rm(dir, { recursive: true });
  }
}

const questionOf = (packet: Buffer) =>
  packet.toString('latin1', 12, endOfQuestion(packet) ?? packet.length).toLowerCase();
