import * as v from 'valibot';
import { ip, peerName, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const holder = v.object({
  /** of the host, see {@link hostRecord} */
  id: word,
  /** of this run of its daemon */
  run: word,
  address: ip,
});

/** The daemon that holds a host's name. */
export type Holder = v.InferOutput<typeof holder>;

/** `alive/<name>`: the only key under a host's lease. Whoever writes it first has the name. */
export const aliveRecord = new RecordKind({
  prefix: 'alive/',
  key: peerName as v.GenericSchema<string, string>,
  value: holder,
});
