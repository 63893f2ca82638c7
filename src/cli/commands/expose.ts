import { flag, text } from '../../config/option.ts';
import { checkName } from '../../model/names.ts';
import { parseRequest } from '../../model/request.ts';
import { command } from '../command.ts';
import { printAddresses } from '../output.ts';

export const expose = command({
  name: 'expose',
  operands: '[ADDR…]',
  about: 'Give this host an address on the network, and print it',
  options: {
    h: text('A name for the address, fully qualified'),
    'without-masquerade': flag("Add no NAT rules for the host's other networks"),
  },
  examples: [
    ['weavets expose', 'any free address of the default subnet'],
    ['weavets expose 10.2.1.132/24 -h exposed.weave.local', 'this address, under that name'],
  ],
  async run(args, { control, out }) {
    args.words.forEach(parseRequest);
    if (args.h !== undefined) checkName('-h', args.h);
    const { addresses } = await control.call('expose', {
      requests: args.words,
      fqdn: args.h ?? null,
      masquerade: !args['without-masquerade'],
    });
    printAddresses(addresses, out);
  },
});
