import * as v from 'valibot';
import { owner, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `hostname/<container>`: the hostname that we derived from its name at create. */
export const madeHostnameRecord = new RecordKind({
  prefix: 'hostname/',
  key: owner as v.GenericSchema<string, string>,
  value: v.object({ hostname: word }),
});
