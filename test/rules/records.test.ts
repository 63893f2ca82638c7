import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecordKind } from '../../src/store/records/record-kind.ts';
import { samples } from '../fuzz/record-samples.ts';
import { repository } from '../support/host.ts';

const folder = join(repository, 'src/store/records');

test('every kind of record is fuzzed, from a sample that is accepted', async () => {
  const kinds = new Map<unknown, string>();
  for (const file of readdirSync(folder)) {
    const module = (await import(join(folder, file))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module))
      if (value instanceof RecordKind) kinds.set(value, name);
  }
  assert.ok(kinds.size > 20);
  const sampled = new Set<unknown>(samples.map(({ kind }) => kind));
  const missing = [...kinds].flatMap(([kind, name]) => (sampled.has(kind) ? [] : [name]));
  assert.deepEqual(missing, [], 'add a row to test/fuzz/record-samples.ts');
  for (const { kind, key, value } of samples) {
    const parsed = kind.parse({ key: `${kind.prefix}${key}`, value: JSON.stringify(value) });
    assert.equal(typeof parsed, 'object', `${kind.prefix}${key}: ${parsed}`);
  }
});
