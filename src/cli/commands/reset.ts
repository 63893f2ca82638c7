import { WeaveError } from '../../lib/errors.ts';
import { command, flag, noWords } from '../command.ts';
import { importReset } from '../daemon.ts';
import { stopDaemon } from '../stop-daemon.ts';

export const reset = command({
  name: 'reset',
  about: 'Stop weavets and remove all it made: bridge, interfaces, firewall rules, state',
  options: { force: flag('Go on even if the daemon does not stop') },
  examples: [['weavets reset', 'containers keep running, without this network']],
  async run({ words, force = false }, context) {
    noWords(words);
    if (process.geteuid?.() !== 0) {
      throw new WeaveError(
        'NOT_ROOT',
        'weavets reset changes the network of the host; run it as root or with sudo',
      );
    }
    try {
      await stopDaemon(context);
    } catch (error) {
      if (!force) throw error;
      context.err(`warning: ${error instanceof Error ? error.message : error}`);
    }
    const { resetHost } = await importReset();
    for (const warning of await resetHost({ force })) context.err(`warning: ${warning}`);
  },
});
