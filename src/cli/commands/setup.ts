import { WeaveError } from '../../lib/errors.ts';
import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { importDoctor } from '../process/daemon.ts';

export const setup = command({
  name: 'setup',
  about: 'Check that this host has the tools that weavets needs',
  examples: [['weavets setup && weavets launch', 'says what to install if something is missing']],
  async run({ words, json }, { out, err }) {
    noWords(words);
    const { checkTools } = await importDoctor();
    const { state, text } = await checkTools();
    if (state === 'failed') throw new WeaveError('TOOL_MISSING', text);
    if (json) return out(toJson<'setup'>({}));
    err('all tools are installed');
  },
});
