import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { errorCodes } from '../../../src/lib/errors.ts';

test('docs/errors.md explains every code, and no other', async () => {
  const text = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.split('|').map((cell) => cell.trim()));
  assert.deepEqual(
    rows.map(([, code]) => code),
    [...errorCodes],
  );
  for (const [, code, meaning, remedy] of rows) assert.ok(meaning && remedy, code);
});
