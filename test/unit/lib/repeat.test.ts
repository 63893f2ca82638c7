import assert from 'node:assert/strict';
import test from 'node:test';
import { repeat } from '../../../src/lib/repeat.ts';

test('a slow run is not overtaken by the next, and a failed one is not the last', async () => {
  const ending = new AbortController();
  const failures: unknown[] = [];
  let under = 0;
  let most = 0;
  let runs = 0;
  const done = new Promise<void>((resolve) => {
    const task = async () => {
      under += 1;
      most = Math.max(most, under);
      // Longer than the pause: a clock that ticks would start the next in it.
      await new Promise((wake) => setTimeout(wake, 20));
      under -= 1;
      runs += 1;
      if (runs === 5) resolve();
      if (runs === 2) throw new Error('boom');
    };
    repeat(task, { pause: 1, signal: ending.signal, failed: (error) => failures.push(error) });
  });
  await Promise.all([done, new Promise((wake) => setTimeout(wake, 1))]);
  ending.abort();
  assert.equal(most, 1);
  assert.equal(failures.length, 1);
  await new Promise((wake) => setTimeout(wake, 50));
  assert.equal(runs, 5);
});
