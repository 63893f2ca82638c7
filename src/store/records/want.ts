import * as v from 'valibot';
import { peerName } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const address = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1));

/** `want/<owner>/<asker>/<id>`: a host asks another for some of these addresses. */
export const wantRecord = new RecordKind({
  prefix: 'want/',
  key: v.pipe(
    v.string(),
    v.check((text) => {
      const [owner, asker, id, ...rest] = text.split('/');
      return [owner, asker, id].every((part) => v.is(peerName, part)) && rest.length === 0;
    }, 'not OWNER/ASKER/ID'),
  ),
  value: v.object({ first: address, last: address }),
});
