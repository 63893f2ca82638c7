import * as v from 'valibot';
import { cidr } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `expose/<cidr>`: an address of the host itself. */
export const exposeRecord = new RecordKind({
  prefix: 'expose/',
  key: cidr,
  value: v.object({
    masquerade: v.boolean(),
    /** names are kept in the host's /etc/hosts */
    hostsFile: v.optional(v.boolean(), false),
  }),
});
