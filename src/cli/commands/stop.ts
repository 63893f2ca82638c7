import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { stopDaemon } from '../process/stop-daemon.ts';

export const stop = command({
  name: 'stop',
  about: 'Stop weavets; containers keep running, and keep their network',
  examples: [['weavets stop && weavets launch', 'restarts it']],
  async run({ words, json }, context) {
    noWords(words);
    context.doing('stopping weavets');
    const stopped = await stopDaemon(context);
    if (json) return context.out(toJson<'stop'>({ stopped }));
    if (!stopped) context.err('weavets is not running');
  },
});
