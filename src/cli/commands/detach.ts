import { parseRequest } from '../../lib/request.ts';
import { command, lastIsContainer } from '../command.ts';
import { printAddresses } from '../output.ts';

export const detach = command({
  name: 'detach',
  operands: '[ADDR…] CONTAINER',
  about: 'Take addresses, or all of them, from a running container, and print them',
  examples: [
    ['weavets detach bbox1', 'all that it has'],
    ['weavets detach net:10.2.2.0/24 bbox1', 'only those of this subnet'],
  ],
  async run({ words }, { control, out }) {
    const { before, container } = lastIsContainer(words);
    before.forEach(parseRequest);
    const { addresses } = await control.call('detach', { container, requests: before });
    printAddresses(addresses, out);
  },
});
