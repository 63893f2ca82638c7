import { command, noWords } from '../command.ts';

export const prime = command({
  name: 'prime',
  about: 'Wait until addresses can be allocated',
  examples: [['weavets launch && weavets prime', 'returns when containers can be started']],
  async run({ words }, { control }) {
    noWords(words);
    await control.call('prime', {});
  },
});
