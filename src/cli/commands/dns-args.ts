import { command } from '../command.ts';

export const dnsArgs = command({
  name: 'dns-args',
  operands: '[ARG…]',
  about: 'Print the arguments that make `docker run` use our DNS; nothing when it is off',
  // Weave Net's scripts hand on what `docker run` will get.
  anyArguments: true,
  json: false,
  examples: [['docker run $(weavets dns-args) busybox nslookup bbox1', 'names without the proxy']],
  async run(_args, { control, out }) {
    const { args } = await control.call('dnsArgs', {});
    if (args.length > 0) out(args.join(' '));
  },
});
