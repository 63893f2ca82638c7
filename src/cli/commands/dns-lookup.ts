import { WeaveError } from '../../lib/errors.ts';
import { command } from '../command.ts';

export const dnsLookup = command({
  name: 'dns-lookup',
  operands: 'NAME',
  about: 'Print the addresses of a name, one per line',
  examples: [['weavets dns-lookup bbox1', 'the addresses of bbox1.weave.local']],
  async run({ words }, { control, out }) {
    const [name, ...more] = words;
    if (name === undefined || more.length > 0) throw new WeaveError('USAGE', 'give one name');
    const { addresses } = await control.call('dnsLookup', { name });
    addresses.forEach(out);
  },
});
