import { WeaveError } from '../../lib/errors.ts';
import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';

export const dockerBridgeIp = command({
  name: 'docker-bridge-ip',
  about: "Print the address of the engine's bridge (docker0, or DOCKER_BRIDGE)",
  examples: [['dig @$(weavets docker-bridge-ip) bbox1.weave.local', 'queries our DNS']],
  async run({ words, json }, { env, out }) {
    noWords(words);
    const { runOk } = await import('../../lib/exec.ts');
    const bridge = env.DOCKER_BRIDGE || 'docker0';
    const links = JSON.parse(await runOk(['ip', '-json', '-4', 'address', 'show', 'dev', bridge])) as {
      addr_info?: { local: string }[];
    }[];
    const address = links.flatMap((link) => link.addr_info ?? [])[0];
    if (address === undefined) {
      throw new WeaveError('ENGINE_ERROR', `${bridge} has no IPv4 address; is the engine running?`);
    }
    out(json ? toJson<'docker-bridge-ip'>({ address: address.local }) : address.local);
  },
});
