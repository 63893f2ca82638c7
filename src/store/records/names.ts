import * as v from 'valibot';
import { hostname, ip, owner, wildcard, wordOrNone } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `names/<owner>`: names that were changed by hand, of one run of a container. */
export const namesRecord = new RecordKind({
  prefix: 'names/',
  key: owner as v.GenericSchema<string, string>,
  value: v.object({
    pid: v.number(),
    /** of the host, in which the pid means this run; empty in records of older versions */
    boot: v.optional(wordOrNone, ''),
    addresses: v.pipe(v.array(ip), v.readonly()),
    own: v.optional(v.pipe(v.array(hostname), v.readonly()), []),
    unnamed: v.optional(v.pipe(v.array(ip), v.readonly()), []),
    names: v.pipe(v.array(v.object({ hostname: v.union([hostname, wildcard]), address: ip })), v.readonly()),
  }),
});
