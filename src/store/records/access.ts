import * as v from 'valibot';
import { word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `cluster/access`: by which files, and as which user, this host reaches etcd; no secrets. */
export const accessRecord = new RecordKind({
  prefix: 'cluster/',
  key: v.literal('access'),
  value: v.object({
    ca: v.optional(word),
    cert: v.optional(word),
    key: v.optional(word),
    user: v.optional(word),
  }),
});
