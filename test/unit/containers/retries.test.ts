import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Retries } from '../../../src/containers/retries.ts';
import { until } from '../../support/until.ts';

test('failures are retried until they work, with doubling pauses', async () => {
  const at: number[] = [];
  const retries: Retries = new Retries({
    task: async (key) => {
      at.push(performance.now());
      if (at.length < 4) {
        assert.equal(retries.failed(key, new Error(`attempt ${at.length}`)), false);
        throw new Error('as the task itself does');
      }
      retries.done(key);
    },
    pauses: { first: 20, longest: 40 },
  });
  assert.equal(retries.failed('c', new Error('at first')), true);
  assert.match(String(retries.errorOf('c')), /at first/);
  await until('it has worked', () => retries.errorOf('c') === undefined);
  assert.equal(at.length, 4);
  const [first = 0, second = 0, third = 0, fourth = 0] = at;
  assert.ok(second - first >= 39, 'the second pause is twice the first');
  assert.ok(third - second >= 39 && fourth - third >= 39, 'and no pause is shorter later');
});

test('nothing is retried once done or closed', async () => {
  let tried = 0;
  const retries = new Retries({ task: async () => tried++, pauses: { first: 10, longest: 10 } });
  retries.failed('a', new Error());
  retries.done('a');
  retries.failed('b', new Error());
  retries.close();
  retries.failed('c', new Error());
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(tried, 0);
});
