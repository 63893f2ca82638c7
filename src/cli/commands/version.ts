import { version as ownVersion } from '../../lib/version.ts';
import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';

export const version = command({
  name: 'version',
  about: 'Print the version',
  examples: [['weavets version', 'weavets 0.1.0']],
  async run({ words, json }, { out }) {
    noWords(words);
    out(json ? toJson<'version'>({ version: ownVersion }) : `weavets ${ownVersion}`);
  },
});
