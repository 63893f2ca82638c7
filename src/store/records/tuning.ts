import * as v from 'valibot';
import { RecordKind } from './record-kind.ts';

const number = v.pipe(v.string(), v.regex(/^\d{1,10}$/, 'not a number'));

/** `tuning/<setting>`: a setting of the kernel that was changed, `net/ipv4/conf/eth1/rp_filter`; what it was and became. */
export const tuningRecord = new RecordKind({
  prefix: 'tuning/',
  key: v.pipe(v.string(), v.regex(/^net\/(?!.*\.\.)[\w./@:-]+$/, 'not a setting')) as v.GenericSchema<
    string,
    string
  >,
  value: v.object({ from: number, to: number }),
});
