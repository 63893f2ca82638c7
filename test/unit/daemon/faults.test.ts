import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOk } from '../../../src/lib/exec.ts';

test('an unhandled error does not end the daemon; a bug is a condition, a system limit is not', async () => {
  const main = fileURLToPath(new URL('faults-main.ts', import.meta.url));
  const told = JSON.parse(await runOk([process.execPath, '--import', import.meta.resolve('tsx'), main]));
  assert.equal(told.length, 1);
  assert.match(told[0], /^a bug in weavets: thrown; please report it/);
});
