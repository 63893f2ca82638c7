import { parseRequest } from '../../lib/request.ts';
import { command } from '../command.ts';
import { printAddresses } from '../output.ts';

export const hide = command({
  name: 'hide',
  operands: '[ADDR…]',
  about: 'Take addresses, or all of them, from this host, and print them',
  examples: [['weavets hide', 'all that expose gave']],
  async run({ words }, { control, out }) {
    words.forEach(parseRequest);
    const { addresses } = await control.call('hide', { requests: words });
    printAddresses(addresses, out);
  },
});
