import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOk } from '../../../src/lib/exec.ts';

test('what nobody catches ends no daemon; a fault of ours is a condition, a refusal of the system is not', async () => {
  const main = fileURLToPath(new URL('faults-main.ts', import.meta.url));
  const told = JSON.parse(await runOk([process.execPath, '--import', import.meta.resolve('tsx'), main]));
  assert.equal(told.length, 1);
  assert.match(told[0], /^a fault of weavets: thrown; please report it/);
});
