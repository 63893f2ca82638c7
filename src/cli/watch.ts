import { setTimeout as delay } from 'node:timers/promises';
import { hasCode, messageOf } from '../lib/errors.ts';
import type { CommandContext } from './command.ts';

/** ms between looks */
const pause = 1_000;

/** Prints lines whenever they change: on a terminal in place of the last, else one after the other. Never ends. */
export async function watch(
  lines: () => Promise<string[]>,
  { out, doing, terminal }: Pick<CommandContext, 'out' | 'doing' | 'terminal'>,
): Promise<never> {
  // From the corner, clearing the screen.
  const clear = terminal.out ? '\x1b[H\x1b[2J\x1b[3J' : '';
  for (let last: string | undefined; ; await delay(pause)) {
    const text = await look(lines);
    doing('');
    if (text !== last) out(`${clear}${text}${terminal.out ? '' : '\n'}`);
    last = text;
  }
}

/** Waits for a daemon that is restarting. */
async function look(lines: () => Promise<string[]>): Promise<string> {
  try {
    return (await lines()).join('\n');
  } catch (error) {
    if (hasCode(error, 'NOT_RUNNING')) return messageOf(error);
    throw error;
  }
}
