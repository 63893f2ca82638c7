import { parseRequest } from '../../model/request.ts';
import { command, lastIsContainer } from '../command.ts';
import { printAddresses, toJson } from '../output.ts';

export const detach = command({
  name: 'detach',
  operands: '[ADDR…] CONTAINER',
  about: 'Remove addresses (default: the one of the default subnet) from a running container, and print them',
  examples: [
    ['weavets detach bbox1', 'the one of the default subnet; the last address takes the interface along'],
    ['weavets detach net:10.2.2.0/24 bbox1', 'those of this subnet'],
  ],
  async run({ words, json }, { control, out }) {
    const { before, container } = lastIsContainer(words);
    before.forEach(parseRequest);
    const detached = await control.call('detach', { container, requests: before });
    if (json) return out(toJson<'detach'>(detached));
    printAddresses(detached.addresses, out);
  },
});
