import { parseSomeTargets } from '../../config/peers.ts';
import { command } from '../command.ts';

export const forget = command({
  name: 'forget',
  operands: 'PEER…',
  about: 'Stop connecting to other hosts',
  examples: [['weavets forget 192.168.1.2', 'undoes `weavets connect 192.168.1.2`']],
  async run({ words }, { control }) {
    await control.call('forget', { peers: parseSomeTargets(words) });
  },
});
