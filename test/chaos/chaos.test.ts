import assert from 'node:assert/strict';
import test from 'node:test';
import { outcomesOf } from './chaos.ts';
import { faults } from './faults.ts';
import { linesOf } from './outcome.ts';

/** By it each host is struck seven times, and one is cut off for longer than its lease. */
const seed = '1382';

// A short turn, always the same; `npm run chaos` takes longer ones.
test(`each kind of fault on three hosts, and everything is right soon after (seed ${seed})`, async (t) => {
  const wrong: string[] = [];
  const made: string[] = [];
  for await (const outcome of outcomesOf({ seed, first: 1, last: faults.length, busy: true })) {
    const lines = linesOf(seed, outcome);
    for (const line of lines) t.diagnostic(line);
    if (lines.length > 1) wrong.push(...lines);
    made.push(outcome.fault);
  }
  const again = `npm run chaos -- --busy --seed ${seed}, with --step K for that one alone`;
  assert.equal(wrong.length, 0, `${again}:\n${wrong.join('\n')}`);
  assert.deepEqual(made.toSorted(), faults.map(({ name }) => name).toSorted());
  assert.ok(made.length >= 20, `only ${made.length} faults`);
});
