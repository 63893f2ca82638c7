import * as v from 'valibot';
import { cidr, ip, owner } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `addr/<ip>`: an address allocated by this host, and its owner. */
export const addressRecord = new RecordKind({
  prefix: 'addr/',
  key: ip as v.GenericSchema<string, v.InferOutput<typeof ip>>,
  value: v.object({ owner, cidr }),
});
