import * as v from 'valibot';
import { cidr, owner, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const choice = v.object({
  multicastRoute: v.boolean(),
  rewriteHosts: v.boolean(),
  addHosts: v.pipe(v.array(word), v.readonly()),
  dns: v.boolean(),
});

/** `override/<container>`: what `attach` and `detach` changed. */
export const overrideRecord = new RecordKind({
  prefix: 'override/',
  key: owner as v.GenericSchema<string, string>,
  value: v.object({
    cidrs: v.pipe(v.array(cidr), v.readonly()),
    choice: v.optional(choice),
    run: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  }),
});
