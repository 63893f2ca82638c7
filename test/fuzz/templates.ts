import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hasCode } from '../../src/lib/errors.ts';
import { functions } from '../../src/report/template/functions.ts';
import { compile } from '../../src/report/template/template.ts';
import { report } from '../unit/cli/support.ts';
import { type FuzzOptions, runs } from './target.ts';

const words = [
  ...['{{', '}}', '{{-', '-}}', '/*', '*/', '(', ')', '|', ':=', ',', '.', '$', '$x', '$.Router', '"', '`'],
  ...['if', 'else', 'else if', 'end', 'range', 'with', 'range $i, $e := .DNS.Entries', '{{end}}', '{{else}}'],
  ...[
    '.DNS.Entries',
    '.Router.Peers',
    '.IPAM.Range',
    '.Nonsense',
    '.constructor',
    '.__proto__',
    'true',
    'nil',
  ],
  ...[
    '-3',
    '1.5',
    '99999999999999999999',
    '"%v"',
    '"%0999999s%d"',
    '"%[1]d"',
    '"\\u12"',
    ' ',
    '\n',
    '😀',
    '\0',
  ],
  ...functions.keys(),
];

/** Words of the language in any order; some of them closed as they should be. */
const templates = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...words) },
    {
      weight: 2,
      arbitrary: fc.array(fc.constantFrom(...words), { maxLength: 5 }).map((all) => `{{${all.join(' ')}}}`),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 10, unit: 'binary' }) },
  ),
  { maxLength: 30 },
);

/** Whatever the template: a text, or a mistake that is explained. */
export function fuzzTemplates(options: FuzzOptions): void {
  fc.assert(
    fc.property(templates, fc.constantFrom('', ' '), (parts, between) => {
      const template = parts.join(between);
      try {
        assert.equal(typeof compile(template)(report), 'string');
      } catch (error) {
        if (!hasCode(error, 'USAGE')) throw error;
      }
    }),
    runs(options),
  );
}
