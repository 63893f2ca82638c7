import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { proxyEndpoints } from '../shell/proxy-endpoint.ts';

export const config = command({
  name: 'config',
  about: 'Print the flag that makes one docker command use the proxy',
  examples: [['docker $(weavets config) run -ti busybox', 'attached, without changing the shell']],
  async run({ words, json }, { control, out }) {
    noWords(words);
    const [endpoint] = await proxyEndpoints(control);
    out(json ? toJson<'config'>({ host: endpoint }) : `-H=${endpoint}`);
  },
});
