import { parseRequest } from '../../model/request.ts';
import { command } from '../command.ts';
import { printAddresses } from '../output.ts';

export const hide = command({
  name: 'hide',
  operands: '[ADDR…]',
  about: 'Remove addresses (default: the one of the default subnet) from this host, and print them',
  examples: [['weavets hide', 'undoes `weavets expose`']],
  async run({ words }, { control, out }) {
    words.forEach(parseRequest);
    const { addresses } = await control.call('hide', { requests: words });
    printAddresses(addresses, out);
  },
});
