import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

test('no literal is spread into another: the compiler would not see a field too many', () => {
  const wrong = ['src', 'test', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => {
        const lines = readFileSync(join(repository, folder, name), 'utf8').split('\n');
        return lines.filter((line) => /\.\.\.\{ ?\w/.test(line)).map((line) => `${folder}/${name}: ${line}`);
      }),
  );
  assert.deepEqual(wrong, []);
});
