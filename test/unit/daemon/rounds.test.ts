import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rounds } from '../../../src/daemon/rounds.ts';
import { silent } from '../../../src/lib/log.ts';
import { until } from '../../support/until.ts';

/** A checkup whose rounds end when the test says so. */
function make(pause: number) {
  const ends: ((error?: Error) => void)[] = [];
  const complete = () =>
    new Promise<void>((resolve, reject) => {
      ends.push((error) => (error ? reject(error) : resolve()));
    });
  return { rounds: new Rounds({ checkup: { complete }, logger: silent, pause }), ends };
}

test('however many come, one round is made at a time, and no other within the pause', async () => {
  const { rounds, ends } = make(3_600_000);
  for (let visit = 0; visit < 100; visit++) rounds.visit();
  assert.equal(ends.length, 1);
  ends[0]?.();
  await new Promise(setImmediate);
  for (let visit = 0; visit < 100; visit++) rounds.visit();
  assert.equal(ends.length, 1);
});

test('after the pause the next visit begins another, even if the last one failed', async () => {
  const { rounds, ends } = make(1);
  rounds.visit();
  ends[0]?.(new Error('no links can be read'));
  await until('another begins', () => {
    rounds.visit();
    return ends.length === 2;
  });
});
