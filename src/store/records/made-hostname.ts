import * as v from 'valibot';
import { owner, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `hostname/<container>`: the hostname that we made of its name when it was created. */
export const madeHostnameRecord = new RecordKind({
  prefix: 'hostname/',
  key: owner as v.GenericSchema<string, string>,
  value: v.object({ hostname: word }),
});
