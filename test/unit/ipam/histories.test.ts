import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHistories } from '../../model/check.ts';

// A short turn; `npm run model` takes longer ones.
test('whatever happens to three hosts and their store, no address is there twice and none is lost', async () => {
  const done = new Set<string>();
  await checkHistories({ runs: 10, seed: 7 }, (actions) => {
    for (const action of actions) done.add(action);
  });
  for (const action of ['start', 'cut', 'crash', 'restore', 'clone', 'replace', 'clock'])
    assert.ok(done.has(action), `${action} took part`);
});
