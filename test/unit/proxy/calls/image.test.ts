import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { runOk } from '../../../../src/lib/exec.ts';
import { isInImage, toImage } from '../../../../src/proxy/calls/image.ts';

test('what an image has at a path is seen in its layers; an empty folder is nothing', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'weavets-'));
  t.after(() => rmSync(root, { recursive: true }));
  const layer = (name: string) => {
    const folder = join(root, name);
    mkdirSync(folder);
    return folder;
  };
  const [bare, empty, full, file, removed] = ['bare', 'empty', 'full', 'file', 'removed'].map(layer) as [
    ...[string, string, string, string, string],
  ];
  mkdirSync(join(empty, 'w'));
  mkdirSync(join(full, 'w/app'), { recursive: true });
  writeFileSync(join(file, 'w'), '');
  await runOk(['mknod', join(removed, 'w'), 'c', '0', '0']);
  const has = (UpperDir: string, ...lower: string[]) =>
    isInImage(
      toImage(JSON.stringify({ GraphDriver: { Data: { UpperDir, LowerDir: lower.join(':') } } })),
      '/w',
    );
  assert.deepEqual(
    [has(bare), has(empty), has(full), has(file), has(removed)],
    [false, false, true, true, false],
  );
  assert.equal(has(bare, empty, full), true);
  assert.equal(has(bare, removed, full), false);
  assert.equal(has(file, removed), true);
  // Engines that store images otherwise.
  for (const GraphDriver of [undefined, null, {}, { Data: null }, { Data: {} }])
    assert.equal(isInImage(toImage(JSON.stringify({ GraphDriver })), '/w'), false);
});
