import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { storeClocks } from '../../../src/cluster/store-clocks.ts';
import { clock } from '../../../src/doctor/checks/cluster.ts';

/** A member of etcd whose clock differs by so many seconds. */
async function member(seconds: number) {
  const server = createServer((_, response) => {
    response.setHeader('Date', new Date(Date.now() + seconds * 1000).toUTCString());
    response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() };
}

test('a clock that differs from that of a member of the store is told, and by how much', async () => {
  await using same = await member(0);
  await using late = await member(-3600);
  const check = (...members: string[]) => {
    const clocks = () => storeClocks({ store: 'etcd://127.0.0.1', etcd: null }, members);
    return clock.run({ peers: () => [], store: { ask: async () => {}, clocks } });
  };
  assert.equal((await check(same.address)).state, 'ok');
  const { state, text } = await check(same.address, late.address);
  assert.equal(state, 'failed');
  assert.match(text, new RegExp(`clock is (359\\d|36[0-5]\\d) s ahead of that of ${late.address}.*set-ntp`));
  assert.equal((await check('127.0.0.1:1')).state, 'skipped');
});
