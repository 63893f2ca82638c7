import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

/** Folders below src, as `src/net/overlay`. */
function foldersOf(path: string): string[] {
  return readdirSync(join(repository, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [`${path}/${name}`, ...foldersOf(`${path}/${name}`)]);
}

test('the picture of the folders in docs/design.md matches src', () => {
  const text = readFileSync(join(repository, 'docs/design.md'), 'utf8');
  const block = /```\n(bin\/[\s\S]*?)```/.exec(text)?.[1] ?? '';
  const above: string[] = [];
  const drawn = [...block.matchAll(/^( *)([\w-]+)\//gm)].map(([, indent = '', name = '']) => {
    above.splice(indent.length / 2, above.length, name);
    return above.join('/');
  });
  const inSource = drawn.filter((path) => path.startsWith('src/'));
  assert.deepEqual(inSource.toSorted(), foldersOf('src').toSorted());
});

test('every file named in docs/design.md and docs/extending.md exists', () => {
  for (const page of ['docs/design.md', 'docs/extending.md']) {
    const text = readFileSync(join(repository, page), 'utf8');
    for (const [, path = ''] of text.matchAll(/`((?:src|test|docs|scripts|bench)\/[\w./-]+\.\w+)`/g)) {
      if (path.includes('NAME')) continue;
      assert.ok(readFileSync(join(repository, path)), `${page}: ${path}`);
    }
  }
});
