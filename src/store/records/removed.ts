import * as v from 'valibot';
import { peerName } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `removed/<name>`: a host that was removed; only a token lets it in again. */
export const removedRecord = new RecordKind({
  prefix: 'removed/',
  key: peerName as v.GenericSchema<string, string>,
  value: v.object({
    /** ms since the epoch */
    at: v.number(),
  }),
});
