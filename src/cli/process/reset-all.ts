import { hasCode, messageOf, WeaveError } from '../../lib/errors.ts';
import type { CommandContext, Context } from '../command.ts';
import { importReset } from './daemon.ts';
import { runningPid } from './running.ts';
import { stopDaemon } from './stop-daemon.ts';

/** Longest wait for the other hosts to be told, and for one of them to take this one's place in etcd; ms. */
const leavePatience = 40_000;

/**
 * Ends the daemon and removes everything it made on this host.
 * @param force go on even if it does not end
 * @throws WeaveError NOT_ROOT
 */
export async function resetAll(context: CommandContext, force: boolean): Promise<void> {
  if (process.geteuid?.() !== 0) {
    throw new WeaveError('NOT_ROOT', 'this changes the network of the host; run it as root or with sudo');
  }
  try {
    context.doing('leaving the other hosts');
    if ((await runningPid(context.control)) !== undefined) await leave(context);
    context.doing('stopping weavets');
    await stopDaemon(context);
  } catch (error) {
    if (!force) throw error;
    context.err(`warning: ${messageOf(error)}`);
  }
  context.doing('taking away the network');
  const { resetHost } = await importReset();
  for (const warning of await resetHost({ env: context.env })) context.err(`warning: ${warning}`);
}

/** Leave the cluster while there is a daemon to do it. */
async function leave({ control, err }: Context): Promise<void> {
  await control.call('leave', {}, { timeoutMs: leavePatience }).catch((error: unknown) => {
    if (!hasCode(error, 'NOT_RUNNING')) err(`warning: ${messageOf(error)}`);
  });
}
