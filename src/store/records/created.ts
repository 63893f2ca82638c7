import * as v from 'valibot';
import { RecordKind } from './record-kind.ts';

const list: v.GenericSchema<readonly string[] | null> = v.nullable(v.array(v.string()));

/** `created/<container>`: what the container was to be before the proxy changed it. */
export const createdRecord = new RecordKind({
  prefix: 'created/',
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not the id of a container')),
  value: v.object({
    entrypoint: list,
    cmd: list,
    hostname: v.string(),
    domainname: v.string(),
    dns: list,
    dnsSearch: list,
    binds: list,
    failure: v.exactOptional(v.object({ message: v.string(), exitCode: v.number(), finishedAt: v.string() })),
  }),
});
