import * as v from 'valibot';
import { RecordKind } from './record-kind.ts';

/** `join/<SHA-256 of a token's secret>`: until when the token lets hosts in. */
export const joinRecord = new RecordKind({
  prefix: 'join/',
  key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'not a SHA-256')),
  value: v.object({
    /** ms since the epoch */
    expires: v.number(),
  }),
});
