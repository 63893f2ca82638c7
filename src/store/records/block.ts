import * as v from 'valibot';
import { ip, peerName } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const span = v.pipe(
  v.string(),
  v.regex(/^\d{1,3}-\d{1,3}$/, 'not FROM-TO'),
  v.check((text) => {
    const [from = 0, to = 0] = text.split('-').map(Number);
    return from <= to && to <= 255;
  }, 'not a part of 256 addresses'),
);

/** `block/<first of 256 addresses>`: whose they are, by offset, as `{"0-127":"<host>"}`. */
export const blockRecord = new RecordKind({
  prefix: 'block/',
  key: v.pipe(
    v.string(),
    v.check((text) => /\.0$/.test(text) && v.is(ip, text), 'not the first of 256 addresses'),
  ),
  value: v.record(span, peerName),
});
