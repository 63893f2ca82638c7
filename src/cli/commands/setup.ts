import { command, noWords } from '../command.ts';
import { importPreflight } from '../process/daemon.ts';

export const setup = command({
  name: 'setup',
  about: 'Check that this host has the tools that weavets needs',
  examples: [['weavets setup && weavets launch', 'says what to install if something is missing']],
  async run({ words }, { err }) {
    noWords(words);
    const { checkTools } = await importPreflight();
    await checkTools();
    err('all tools are installed');
  },
});
