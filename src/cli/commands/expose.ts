import { flag, text } from '../../config/option.ts';
import { checkName } from '../../model/names.ts';
import { parseRequest } from '../../model/request.ts';
import { command } from '../command.ts';
import { printAddresses, toJson } from '../output.ts';

export const expose = command({
  name: 'expose',
  operands: '[ADDR…]',
  about: "Give this host an address on the network, and containers' names; print the address",
  options: {
    h: text('A name for the address, fully qualified'),
    'hosts-file': flag("Keep the names in this host's /etc/hosts, where systemd-resolved can't have them"),
    'without-masquerade': flag("Add no NAT rules for the host's other networks"),
  },
  examples: [
    ['weavets expose && curl http://web.weave.local', 'any free address of the default subnet'],
    ['weavets expose 10.2.1.132/24 -h exposed.weave.local', 'this address, under that name'],
  ],
  async run(args, { control, out, err, terminal }) {
    args.words.forEach(parseRequest);
    if (args.h !== undefined) checkName('-h', args.h);
    const exposed = await control.call('expose', {
      requests: args.words,
      fqdn: args.h ?? null,
      masquerade: !args['without-masquerade'],
      hostsFile: args['hosts-file'] ?? false,
    });
    if (args.json) return out(toJson<'expose'>(exposed));
    printAddresses(exposed.addresses, out);
    if (exposed.note && terminal.err) err(`note: ${exposed.note}`);
  },
});
