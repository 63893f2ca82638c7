import { parseRequest } from '../../model/request.ts';
import { command } from '../command.ts';
import { printAddresses, toJson } from '../output.ts';

export const hide = command({
  name: 'hide',
  operands: '[ADDR…]',
  about: 'Remove addresses (default: the one of the default subnet) from this host, and print them',
  examples: [['weavets hide', 'undoes `weavets expose`']],
  async run({ words, json }, { control, out }) {
    words.forEach(parseRequest);
    const hidden = await control.call('hide', { requests: words });
    if (json) return out(toJson<'hide'>(hidden));
    printAddresses(hidden.addresses, out);
  },
});
