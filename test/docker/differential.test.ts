import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calls } from '../differential/calls.ts';
import { differences } from '../differential/differences.ts';
import { play } from '../differential/play.ts';
import { Host } from '../support/host.ts';

let host: Host;
before(async () => {
  host = await Host.create();
  assert.equal((await host.weavets('launch')).code, 0);
});
after(() => host[Symbol.asyncDispose]());

test('every call answers through the proxy as it does directly', async (t) => {
  assert.ok(calls.length >= 150, `${calls.length} calls`);
  const direct: string[] = [];
  const proxied: string[] = [];
  for (const call of calls) direct.push(await play(host, '/var/run/docker.sock', 'zdirz', call));
  for (const call of calls) proxied.push(await play(host, '/var/run/weave/weave.sock', 'zprxz', call));
  for (const [i, call] of calls.entries()) {
    const meant = differences.filter((difference) => difference.calls.test(call));
    const equal = (output = '') => meant.reduce((text, difference) => difference.equal(text), output);
    await t.test(call, () => assert.equal(equal(proxied[i]), equal(direct[i])));
  }
});
