import * as v from 'valibot';
import { owner, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: none belongs there
const form = /^[0-9a-fA-F.:]+\t[^\s#\u0000-\u001f\u007f][^#\u0000-\u001f\u007f]*$/;
const names = v.pipe(v.string(), v.maxLength(1024), v.regex(/^[^\s#\p{Cc}][^#\p{Cc}]*$/u));
const line = v.pipe(v.string(), v.maxLength(1024), v.regex(form, 'not a line of a hosts file'));

/** `hosts/<container>`: the container's hosts file, our lines in it, and what we changed in the engine's. */
export const hostsRecord = new RecordKind({
  prefix: 'hosts/',
  key: owner as v.GenericSchema<string, string>,
  value: v.object({
    path: v.pipe(word, v.startsWith('/')),
    lines: v.pipe(v.array(line), v.readonly()),
    renamed: v.optional(v.object({ was: names, is: names })),
  }),
});
