import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

const read = (name: string) => readFileSync(join(repository, name), 'utf8');
const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };

test('each dependency has a reason', () => {
  const rows = [...read('docs/dependencies.md').matchAll(/^\| ([a-z@/.0-9-]+).*? \| (\S.*) \|$/gm)];
  const named = rows.map(([, name]) => name).filter((name) => name !== 'package');
  assert.deepEqual(named.toSorted(), Object.keys(manifest.dependencies).toSorted());
});

test('the lock file names no host', () => {
  assert.doesNotMatch(read('package-lock.json'), /"resolved"/);
});

test('the lock file pins the undici that runs on Node 20', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version: string }> };
  const versions = Object.entries(lock.packages)
    .filter(([path]) => path.endsWith('node_modules/undici'))
    .map(([, { version }]) => version.split('.')[0]);
  assert.deepEqual(versions, ['7']);
});
