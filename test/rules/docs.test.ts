import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pages } from '../../scripts/docs/pages.ts';
import { repository } from '../support/host.ts';

test('docs/README.md leads to every page', () => {
  const folder = join(repository, 'docs');
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && name !== 'README.md')
    .toSorted();
  const linked = [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/\]\(([^)#]+)/g)].map(
    ([, to]) => to,
  );
  assert.deepEqual(
    pages.filter((name) => !linked.includes(name)),
    [],
  );
});

test('generated pages are up to date: npm run docs', async () => {
  for (const [name, text] of Object.entries(await pages())) {
    assert.equal(readFileSync(join(repository, name), 'utf8'), text, name);
  }
});
