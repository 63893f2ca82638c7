import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checks } from '../../src/doctor/checks.ts';
import { repository } from '../support/host.ts';

test('docs/conditions.md explains every condition', () => {
  const text = readFileSync(join(repository, 'docs/conditions.md'), 'utf8');
  const source = join(repository, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const set = /onditions\s*\??\.(?:set|update)\(\s*'([A-Z_]+)'/g;
  const found = checks.filter(({ when }) => when === 'look' || when === 'probe').map(({ code }) => code);
  const others = files.flatMap((name) =>
    [...readFileSync(join(source, name), 'utf8').matchAll(set)].map(([, code]) => code),
  );
  assert.ok(others.includes('HOSTS_FILE'));
  const codes = [...found, ...others];
  const missing = codes.filter((code) => !text.includes(`| ${code} |`));
  assert.deepEqual(missing, [], 'add a row: what is wrong, what to do');
});
