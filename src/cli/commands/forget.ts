import { parseSomeTargets } from '../../config/peers.ts';
import { command } from '../command.ts';
import { toJson } from '../output.ts';

export const forget = command({
  name: 'forget',
  operands: 'PEER…',
  about: 'Stop connecting to other hosts',
  examples: [['weavets forget 192.168.1.2', 'undoes `weavets connect 192.168.1.2`']],
  async run({ words, json }, { control, out }) {
    await control.call('forget', { peers: parseSomeTargets(words) });
    if (json) out(toJson<'forget'>({}));
  },
});
