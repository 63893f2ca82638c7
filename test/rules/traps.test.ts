import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

const rows = readFileSync(join(repository, 'docs/traps.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| trap |'));

/** File and title of each test that a row names; titles without a file are in the one named before. */
function proofs(row: string): [file: string, title: string][] {
  const cell = row.split(' | ').at(-1) ?? '';
  let file = '';
  return [...cell.matchAll(/`(test\/[^`]+)`|“(.+?)”/g)].flatMap(([, named, title]) => {
    file = named ?? file;
    return title === undefined ? [] : [[file, title] as [string, string]];
  });
}

test('each trap has a test that exists', () => {
  assert.ok(rows.length >= 25, `${rows.length} rows`);
  for (const row of rows) {
    const found = proofs(row);
    assert.ok(found.length > 0, row);
    for (const [file, title] of found) {
      const path = join(repository, file);
      assert.ok(existsSync(path), `${file}: ${row}`);
      // Quotes of any kind, as the title has need of them.
      const titles = [...readFileSync(path, 'utf8').matchAll(/\btest\(\s*(['"`])(.+?)\1,/g)].map(
        ([, , text]) => text,
      );
      assert.ok(titles.includes(title), `${file} has no test “${title}”`);
    }
  }
});
