import { text } from '../../config/option.ts';
import { command } from '../command.ts';
import { parseDnsOperands } from '../dns-operands.ts';

export const dnsAdd = command({
  name: 'dns-add',
  operands: '[IP…] CONTAINER | IP… -h FQDN',
  about: "Add a name for a container's addresses, or for any addresses",
  options: { h: text('The name, fully qualified', "the container's own") },
  examples: [
    ['weavets dns-add bbox1 -h db.weave.local', 'another name for bbox1'],
    ['weavets dns-add 10.2.1.27 -h printer.weave.local', 'a name for what is no container'],
  ],
  async run({ words, h }, { control }) {
    await control.call('dnsAdd', parseDnsOperands(words, h));
  },
});
