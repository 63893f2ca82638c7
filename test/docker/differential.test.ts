import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compare } from '../differential/compare.ts';
import { Host } from '../support/host.ts';

let host: Host;
before(async () => {
  host = await Host.create();
  assert.equal((await host.weavets('launch')).code, 0);
});
after(() => host[Symbol.asyncDispose]());

test('every call answers through the proxy as it does directly', (t) => compare(host, t));
