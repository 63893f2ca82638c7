import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import test from 'node:test';
import fc from 'fast-check';
import { queries, queryCheck } from '../../fuzz/dns.ts';
import { ask, conversation, data, framed, question, record, serve } from './client.ts';

test('for any input: no answer, or a response with the same id within the limit', () => {
  fc.assert(fc.property(queries, queryCheck()), { numRuns: 50_000 });
});

test('the server still answers after 2,000 broken UDP queries and 200 broken TCP streams', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  const [address = '', port = ''] = running.at.split(':');
  const socket = createSocket('udp4');
  for (const packet of fc.sample(queries, 2_000)) {
    await new Promise((sent) => socket.send(packet, Number(port), address, sent));
  }
  socket.close();
  for (const packet of fc.sample(queries, 200)) {
    await conversation(running.at, [framed(packet), packet]);
  }
  assert.deepEqual(data(await ask(running.at, question('bbox1'), 'udp')), ['10.32.0.1']);
  assert.deepEqual(data(await ask(running.at, question('bbox1'), 'tcp')), ['10.32.0.1']);
});
