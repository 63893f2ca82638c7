import * as v from 'valibot';
import { word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `cluster/targets`: the hosts that this one was told to connect to. */
export const targetsRecord = new RecordKind({
  prefix: 'cluster/',
  key: v.literal('targets'),
  value: v.object({ hosts: v.pipe(v.array(word), v.readonly()) }),
});
