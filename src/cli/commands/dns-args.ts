import { command, noWords } from '../command.ts';

export const dnsArgs = command({
  name: 'dns-args',
  about: 'Print the arguments that make `docker run` use our DNS; nothing when it is off',
  examples: [['docker run $(weavets dns-args) busybox nslookup bbox1', 'names without the proxy']],
  async run({ words }, { control, out }) {
    noWords(words);
    const { args } = await control.call('dnsArgs', {});
    if (args.length > 0) out(args.join(' '));
  },
});
