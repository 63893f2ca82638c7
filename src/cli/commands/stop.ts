import { command, noWords } from '../command.ts';
import { stopDaemon } from '../process/stop-daemon.ts';

export const stop = command({
  name: 'stop',
  about: 'Stop weavets; containers keep running, and keep their network',
  examples: [['weavets stop && weavets launch', 'restarts it']],
  async run({ words }, context) {
    noWords(words);
    if (!(await stopDaemon(context))) context.err('weavets is not running');
  },
});
