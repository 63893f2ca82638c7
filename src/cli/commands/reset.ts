import { flag } from '../../config/option.ts';
import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { resetAll } from '../process/reset-all.ts';

export const reset = command({
  name: 'reset',
  about: 'Stop weavets and remove everything it made: bridge, interfaces, firewall rules, state',
  options: { force: flag('Go on even if the daemon does not stop') },
  examples: [['weavets reset', 'containers keep running, without this network']],
  async run({ words, force = false, json }, context) {
    noWords(words);
    await resetAll(context, force);
    if (json) context.out(toJson<'reset'>({}));
  },
});
