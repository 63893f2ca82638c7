import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import test from 'node:test';
import fc from 'fast-check';
import { queryCheck } from '../../fuzz/dns.ts';
import { ask, conversation, data, edns, framed, question, record, serve } from './client.ts';

/** Queries with a few bytes changed, some bytes cut off or added; and noise. */
const packets = fc.oneof(
  fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  fc
    .record({
      good: fc.constantFrom(
        question('bbox1.weave.local'),
        question('bbox1', 'AAAA', edns(1232)),
        question('1.0.32.10.in-addr.arpa', 'PTR', edns(4096)),
      ),
      changes: fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
      length: fc.nat(80),
      tail: fc.uint8Array({ maxLength: 20 }),
    })
    .map(({ good, changes, length, tail }) => {
      const packet = Buffer.concat([good.subarray(0, length), tail]);
      for (const [offset, value] of changes) if (offset < packet.length) packet[offset] = value;
      return packet;
    }),
);

test('for any input: no answer, or a response with the same id within the limit', () => {
  fc.assert(fc.property(packets, queryCheck()), { numRuns: 50_000 });
});

test('the server still answers after 2,000 broken UDP packets and 200 broken TCP streams', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  const [address = '', port = ''] = running.at.split(':');
  const socket = createSocket('udp4');
  for (const packet of fc.sample(packets, 2_000)) {
    await new Promise((sent) => socket.send(packet, Number(port), address, sent));
  }
  socket.close();
  for (const packet of fc.sample(packets, 200)) {
    await conversation(running.at, [framed(packet), packet]);
  }
  assert.deepEqual(data(await ask(running.at, question('bbox1'), 'udp')), ['10.32.0.1']);
  assert.deepEqual(data(await ask(running.at, question('bbox1'), 'tcp')), ['10.32.0.1']);
});
