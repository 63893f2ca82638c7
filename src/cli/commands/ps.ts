import { flag } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { table } from '../../lib/table.ts';
import { command } from '../command.ts';
import { warnOfConditions } from '../conditions.ts';

export const ps = command({
  name: 'ps',
  operands: '[CONTAINER…]',
  about: 'List the attached containers: id, MAC, addresses',
  options: {
    why: flag('List every running container, and why it is attached or not'),
    json: flag('Print JSON'),
  },
  examples: [
    ['weavets ps bbox1', 'bbox1 c2:5b:…:0e 10.32.0.1/12'],
    ['weavets ps --why', 'tells why a container has no address'],
  ],
  async run({ words, why, json }, context) {
    const { control, out } = context;
    if (why) {
      if (words.length > 0) throw new WeaveError('USAGE', "--why lists every container; don't name any");
      const entries = await control.call('why', {});
      await warnOfConditions(context);
      if (json) return out(JSON.stringify(entries, null, 2));
      const rows = entries.map((entry) => [
        shortId(entry.id),
        entry.name,
        entry.attached ? 'attached' : 'not attached',
        [entry.reason, ...entry.warnings].join('; '),
      ]);
      return table(rows).forEach(out);
    }
    const entries = await control.call('ps', { containers: words });
    if (json) return out(JSON.stringify(entries, null, 2));
    // Scripts look for the container as they named it.
    for (const { asked, id, mac, cidrs } of entries) out([asked ?? shortId(id), mac, ...cidrs].join(' '));
  },
});

/** Twelve digits of a container's id, as docker shows it; `weave:expose` is as long. */
function shortId(id: string): string {
  return id.slice(0, 12);
}
