import { flag } from '../../config/option.ts';
import { parseSomeTargets, parseTargets } from '../../config/peers.ts';
import { command } from '../command.ts';
import { toJson } from '../output.ts';

export const connect = command({
  name: 'connect',
  operands: 'PEER…',
  about: 'Connect to other hosts, and join their cluster if this one is in none',
  options: { replace: flag('Forget all other peers') },
  examples: [
    ['weavets connect 192.168.1.2', 'one more peer'],
    ['weavets connect --replace 192.168.1.2 192.168.1.3', 'only these peers'],
  ],
  async run({ words, replace = false, json }, { control, out, doing }) {
    const peers = replace ? parseTargets(words) : parseSomeTargets(words);
    doing('joining the other hosts');
    await control.call('connect', { peers, replace });
    if (json) out(toJson<'connect'>({}));
  },
});
