import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { foreignFiles } from '../../scripts/package/elf.ts';

test('a package has no program or library of another architecture', () => {
  const root = mkdtempSync(join(tmpdir(), 'weavets-elf-'));
  const program = (machine: number) => {
    const head = Buffer.alloc(64);
    head.write('\x7fELF', 'latin1');
    head.writeUInt16LE(machine, 18);
    return head;
  };
  try {
    mkdirSync(join(root, 'lib/deep'), { recursive: true });
    writeFileSync(join(root, 'lib/deep/arm.node'), program(183));
    writeFileSync(join(root, 'lib/intel'), program(62));
    writeFileSync(join(root, 'lib/text'), 'no program, but longer than its head would be');
    writeFileSync(join(root, 'lib/short'), '');
    symlinkSync('/nowhere', join(root, 'lib/link'));
    assert.deepEqual(foreignFiles(root, 'arm64'), ['lib/intel']);
    assert.deepEqual(foreignFiles(root, 'x64'), ['lib/deep/arm.node']);
  } finally {
    rmSync(root, { recursive: true });
  }
});
