import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Command } from '../../../src/cli/command.ts';
import { fullParse } from '../../../src/cli/full-parse.ts';
import { parsePlain } from '../../../src/cli/parse.ts';

const command: Command = {
  name: 'some',
  about: '',
  examples: [],
  options: {
    f: { kind: 'text', about: '', alias: 'format' },
    H: { kind: 'list', about: '' },
    'no-dns': { kind: 'flag', about: '' },
    proxy: { kind: 'flag', about: '' },
    'dns-ttl': { kind: 'number', about: '' },
  },
  run: async () => {},
};

const token = fc.oneof(
  fc.constantFrom(
    '-f',
    '--format',
    '-H',
    '--no-dns',
    '--proxy',
    '--dns-ttl',
    '--',
    '-',
    'true',
    'false',
    '-5',
    '5',
  ),
  fc.constantFrom(
    '-f=a',
    '--format=',
    '-Hx',
    '-H=tcp://[::1]:5',
    '--proxy=false',
    '--proxy=maybe',
    '--dns-ttl=1',
  ),
  fc.constantFrom(
    '--nodns',
    '-x',
    '--no-proxy',
    '-fH',
    '{{.A}}',
    '-f{{.A}}',
    "'a b'",
    '"',
    'a=b',
    'net:10.0.0.0/8',
    '',
  ),
  fc.string({ maxLength: 4 }),
);

test('the fast parser agrees with yargs', async () => {
  let plainOnes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(token, { maxLength: 5 }), async (argv) => {
      const plain = parsePlain(command.options ?? {}, argv);
      if (plain === undefined) return;
      plainOnes++;
      const full: Record<string, unknown> = await fullParse(command, [...argv]);
      const names = ['f', 'H', 'no-dns', 'proxy', 'dns-ttl', 'words'];
      const pick = (from: Record<string, unknown>) => names.map((name) => from[name]);
      assert.deepEqual(pick(plain), pick(full), argv.join(' '));
    }),
    { numRuns: 3000, seed: 11 },
  );
  assert.ok(plainOnes > 100, `${plainOnes}`);
});
