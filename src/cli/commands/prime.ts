import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';

export const prime = command({
  name: 'prime',
  about: 'Wait until addresses can be allocated',
  examples: [['weavets launch && weavets prime', 'returns when containers can be started']],
  async run({ words, json }, { control, out, doing }) {
    noWords(words);
    doing('waiting for addresses');
    await control.call('prime', {});
    if (json) out(toJson<'prime'>({}));
  },
});
