import { flag, list } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { isIp } from '../../model/address.ts';
import { parseRequest } from '../../model/request.ts';
import { command, lastIsContainer } from '../command.ts';
import { printAddresses, toJson } from '../output.ts';

export const attach = command({
  name: 'attach',
  operands: '[ADDR…] CONTAINER',
  about: 'Attach a running container to the network, and print its addresses',
  options: {
    'rewrite-hosts': flag("Write the addresses into the container's /etc/hosts"),
    'add-host': list('An extra line for /etc/hosts: NAME:IP; repeatable'),
    'no-multicast-route': flag('Add no route to 224.0.0.0/4'),
    'without-dns': flag('Give the container no name in DNS'),
  },
  examples: [
    ['weavets attach bbox1', 'any free address of the default subnet'],
    ['weavets attach 10.2.1.1/24 net:10.2.2.0/24 bbox1', 'this address, and a free one of that subnet'],
  ],
  async run(args, { control, out }) {
    const { before, container } = lastIsContainer(args.words);
    const addHosts = args['add-host'] ?? [];
    addHosts.forEach(checkHost);
    before.forEach(parseRequest);
    const attached = await control.call('attach', {
      container,
      requests: before,
      // A line for /etc/hosts is asked for in order to be written.
      rewriteHosts: args['rewrite-hosts'] ?? addHosts.length > 0,
      addHosts,
      multicastRoute: !args['no-multicast-route'],
      dns: !args['without-dns'],
    });
    if (args.json) return out(toJson<'attach'>(attached));
    printAddresses(attached.addresses, out);
  },
});

function checkHost(text: string): void {
  const [, name, ip] = /^([^:\s]+):(.+)$/.exec(text) ?? [];
  if (name === undefined || ip === undefined || !isIp(ip)) {
    throw new WeaveError('USAGE', `--add-host: '${text}' is not of the form NAME:IP`);
  }
}
