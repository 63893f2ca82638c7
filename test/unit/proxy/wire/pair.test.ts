import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { duplexPair } from '../../../../src/proxy/wire/pair.ts';

test('what was written corked arrives in one piece, and the end after it', async () => {
  const [one, other] = duplexPair();
  const pieces: string[] = [];
  other.on('data', (piece: Buffer) => pieces.push(piece.toString()));
  one.cork();
  one.write('head ');
  one.write('');
  one.write('body');
  one.end(' rest');
  await once(other, 'end');
  assert.deepEqual(pieces, ['head body rest']);
});
