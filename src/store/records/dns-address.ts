import * as v from 'valibot';
import { ip } from './fields.ts';
import { RecordKind } from './record-kind.ts';

/** `dns/<ip>`: an address that containers were given for our name server. */
export const dnsAddressRecord = new RecordKind({
  prefix: 'dns/',
  key: ip as v.GenericSchema<string, v.InferOutput<typeof ip>>,
  value: v.object({}),
});
