import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Host } from '../support/host.ts';
import { calls } from './calls.ts';
import { differences } from './differences.ts';
import { play } from './play.ts';

/** Plays every call directly and through the proxy, on a host whose daemon runs; each is a test of its own. */
export async function compare(host: Host, t: TestContext): Promise<void> {
  assert.ok(calls.length >= 150, `${calls.length} calls`);
  // Of this process alone: hosts share /tmp with the machine, and two may play at the same time.
  const own = [...String(process.pid).padStart(7, '0')].map((digit) => 'abcdefghij'[Number(digit)]).join('');
  const direct: string[] = [];
  const proxied: string[] = [];
  for (const call of calls) direct.push(await play(host, '/var/run/docker.sock', `zd${own}z`, call));
  for (const call of calls) proxied.push(await play(host, '/var/run/weave/weave.sock', `zp${own}z`, call));
  for (const [i, call] of calls.entries()) {
    const meant = differences.filter((difference) => difference.calls.test(call));
    const equal = (output = '') => meant.reduce((text, difference) => difference.equal(text), output);
    await t.test(call, () => assert.equal(equal(proxied[i]), equal(direct[i])));
  }
}
