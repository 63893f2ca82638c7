import { text } from '../../config/option.ts';
import { command } from '../command.ts';
import { parseDnsOperands } from '../dns-operands.ts';
import { toJson } from '../output.ts';

export const dnsRemove = command({
  name: 'dns-remove',
  operands: '[IP…] CONTAINER | IP… -h FQDN',
  about: 'Remove names of a container, or of addresses',
  options: { h: text('Only this name, fully qualified', 'all') },
  examples: [
    ['weavets dns-remove bbox1', 'all names of bbox1'],
    ['weavets dns-remove 10.2.1.27 -h printer.weave.local', 'what dns-add added'],
  ],
  async run({ words, h, json }, { control, out }) {
    await control.call('dnsRemove', parseDnsOperands(words, h));
    if (json) out(toJson<'dns-remove'>({}));
  },
});
