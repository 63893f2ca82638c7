import { flag } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import { toJson } from '../output.ts';

export const rmpeer = command({
  name: 'rmpeer',
  operands: 'PEER…',
  about: 'Take over the addresses of hosts that are gone for good',
  options: { force: flag('Do it now, even if the host was up a moment ago') },
  examples: [['weavets rmpeer host3', "host3's addresses can be given to containers of this host"]],
  async run({ words, force = false, json }, { control, out }) {
    if (words.length === 0) throw new WeaveError('USAGE', 'name a peer, by its name or nickname');
    const taken = await control.call('rmpeer', { peers: words, force });
    if (json) return out(toJson<'rmpeer'>(taken));
    taken.lines.forEach(out);
  },
});
