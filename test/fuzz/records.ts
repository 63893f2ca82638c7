import assert from 'node:assert/strict';
import fc from 'fast-check';
import { silent } from '../../src/lib/log.ts';
import { createdRecord } from '../../src/store/records/created.ts';
import { hostsRecord } from '../../src/store/records/hosts.ts';
import type { RecordKind } from '../../src/store/records/record-kind.ts';
import { RecordReader } from '../../src/store/records/record-reader.ts';
import { samples } from './record-samples.ts';
import { type FuzzOptions, runs } from './target.ts';

const id = 'c'.repeat(64);
const mac = '0e:1d:12:1a:1a:88';

/** Parts of records, good and bad. */
const scalars = fc.oneof(
  fc.constantFrom<unknown>(
    ...['10.32.0.1', '10.32.0.0', '10.32.0.1/12', '010.1.1.1', '10.32.0.1\nlink del weave', 'oops', '::1'],
    ...[
      mac,
      '0e:1d:12:1a:1a:8g',
      '01:00:5e:00:00:01',
      'bbox1.weave.local.',
      'bbox1',
      '',
      'a'.repeat(300),
      '-x.',
      '.',
    ],
    ...[
      id,
      'weave:expose',
      'weave:extern',
      '../../etc',
      '0-127',
      '200-100',
      '0-999',
      'AAAA',
      'x\u0000y',
      '__proto__',
    ],
    ...[null, true, false, 0, -1, 1e308, 6784],
  ),
  fc.string({ maxLength: 20, unit: 'binary' }),
);
const fields = fc.constantFrom(
  ...new Set(samples.flatMap(({ value }) => fieldsOf(value))),
  ...['__proto__', 'constructor', 'toString'],
);
const { values } = fc.letrec<{ values: unknown }>((tie) => ({
  values: fc.oneof(
    { maxDepth: 4 },
    scalars,
    fc.array(tie('values'), { maxLength: 4 }),
    fc.array(fc.tuple(fields, tie('values')), { maxLength: 8 }).map((entries) => Object.fromEntries(entries)),
  ),
}));
const texts = fc.oneof(
  { weight: 8, arbitrary: values.map((value) => JSON.stringify(value)) },
  {
    weight: 1,
    arbitrary: fc.tuple(values, fc.nat(50)).map(([value, cut]) => JSON.stringify(value).slice(0, cut)),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 50, unit: 'binary' }) },
);
const keys = fc.oneof(
  scalars.map(String),
  fc.tuple(scalars, scalars).map((parts) => parts.join('/')),
);

/** A good record with one of its leaves changed. */
const bent = fc
  .tuple(fc.constantFrom(...samples), fc.nat(12), scalars)
  .map(([{ kind, key, value }, leaf, put]) => {
    let at = 0;
    const text = JSON.stringify(value, (_, item) =>
      (typeof item === 'object' && item !== null) || at++ !== leaf ? item : put,
    );
    return { kind, key: `${kind.prefix}${key}`, value: text };
  });
/** Anything, under a good key or another. */
const made = fc
  .tuple(fc.constantFrom(...samples), fc.option(keys, { freq: 1 }), texts)
  .map(([{ kind, key }, other, value]) => ({ kind, key: `${kind.prefix}${other ?? key}`, value }));

// biome-ignore lint/suspicious/noControlCharactersInRegex: none of these must get through
const controls = /[\u0000-\u001f\u007f]/;

/** Whatever a store has: a record, or none; none of its texts can be a second line to a tool. */
export function fuzzRecords(options: FuzzOptions): void {
  const readers = new Map(samples.map(({ kind }) => [kind, new RecordReader(kind, silent)]));
  fc.assert(
    fc.property(fc.oneof(bent, made), ({ kind, key, value }) => {
      const reader = readers.get(kind);
      const record = reader?.read({ key, value, revision: 1 });
      if (record === undefined) return;
      assert.doesNotMatch(String(record.key), controls);
      // An accepted record can be written again, and is the same.
      const again = reader?.read({
        key: kind.keyOf(record.key),
        value: kind.format(record.value),
        revision: 1,
      });
      assert.deepEqual(again, record);
      if (kind === createdKind) return;
      const texts = textsOf(record.value).map((text) => (kind === hostsKind ? text.replace('\t', '') : text));
      for (const text of texts) assert.doesNotMatch(text, controls);
    }),
    runs(options),
  );
}

/** A user's own text about a container, which goes back to the user and to no tool. */
const createdKind = createdRecord as unknown as RecordKind<unknown, unknown>;
/** Its lines have a tab after the address. */
const hostsKind = hostsRecord as unknown as RecordKind<unknown, unknown>;

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [name, ...textsOf(item)]);
}

/** Names of all fields in a value. */
function fieldsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const deeper = Object.values(value).flatMap(fieldsOf);
  return Array.isArray(value) ? deeper : [...Object.keys(value), ...deeper];
}
