import { text } from '../../config/option.ts';
import { command } from '../command.ts';
import { parseDnsOperands } from '../dns-operands.ts';
import { toJson } from '../output.ts';

export const dnsAdd = command({
  name: 'dns-add',
  operands: '[IP…] CONTAINER | IP… -h FQDN',
  about: "Add a name for a container's addresses, or for any addresses",
  options: { h: text('The name, fully qualified', "the container's own") },
  examples: [
    ['weavets dns-add bbox1 -h db.weave.local', 'another name for bbox1'],
    ["weavets dns-add bbox1 -h '*.apps.weave.local'", 'all names below apps.weave.local that are no others'],
    ['weavets dns-add 10.2.1.27 -h printer.weave.local', 'a name for what is no container'],
  ],
  async run({ words, h, json }, { control, out }) {
    await control.call('dnsAdd', parseDnsOperands(words, h));
    if (json) out(toJson<'dns-add'>({}));
  },
});
