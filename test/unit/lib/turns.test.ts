import assert from 'node:assert/strict';
import test from 'node:test';
import { Turns } from '../../../src/lib/turns.ts';

test('each item has its turn, also while the list grows and shrinks', () => {
  const turns = new Turns(2);
  assert.deepEqual(turns.take(['a', 'b', 'c']), ['a', 'b']);
  assert.deepEqual(turns.take(['a', 'b', 'c', 'd', 'e']), ['c', 'd']);
  assert.deepEqual(turns.take(['a', 'b', 'c', 'd', 'e']), ['e']);
  assert.deepEqual(turns.take(['a']), ['a']);
  assert.deepEqual(turns.take([]), []);
  assert.deepEqual(turns.take(['a', 'b']), ['a', 'b']);
});
