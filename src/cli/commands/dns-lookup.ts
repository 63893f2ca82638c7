import { WeaveError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import { toJson } from '../output.ts';

export const dnsLookup = command({
  name: 'dns-lookup',
  operands: 'NAME',
  about: 'Print the addresses of a name, one per line',
  examples: [['weavets dns-lookup bbox1', 'the addresses of bbox1.weave.local']],
  async run({ words, json }, { control, out }) {
    const [name, ...more] = words;
    if (name === undefined || more.length > 0) throw new WeaveError('USAGE', 'give one name');
    const found = await control.call('dnsLookup', { name });
    if (json) return out(toJson<'dns-lookup'>(found));
    found.addresses.forEach(out);
  },
});
