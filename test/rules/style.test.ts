import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

test('no literal is spread into another, which would hide excess fields from the compiler', () => {
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

test('constructor inputs are called Options if they are data, else Deps', () => {
  const wrong = readdirSync(join(repository, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(repository, 'src', name), 'utf8');
      const found = text.matchAll(/(?:interface|type) (\w*(?:Parts|Sources|Params|Args|Props|Config))\b/g);
      return [...found].map(([, type]) => `${name}: ${type}`);
    });
  assert.deepEqual(wrong, ['config/config.ts: LaunchConfig', 'config/option.ts: Args']);
});
