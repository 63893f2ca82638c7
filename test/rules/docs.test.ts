import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pages } from '../../scripts/docs/pages.ts';
import { repository } from '../support/host.ts';

test('generated pages are up to date: npm run docs', async () => {
  for (const [name, text] of Object.entries(await pages())) {
    assert.equal(readFileSync(join(repository, name), 'utf8'), text, name);
  }
});
