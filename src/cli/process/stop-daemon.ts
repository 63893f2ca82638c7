import { existsSync } from 'node:fs';
import { hasCode, WeaveError } from '../../lib/errors.ts';
import { logPlace, paths } from '../../model/paths.ts';
import type { Report } from '../../report/report.ts';
import type { Context } from '../command.ts';
import { systemctl, unitsInUse } from '../service/systemd.ts';
import { runningPid, waitUntil } from './running.ts';

/** Longest wait for the daemon to end, ms. */
const patience = 30_000;

/**
 * Asks the daemon to stop and waits until its process has ended; warns if this shell still sends docker to it.
 * @returns false if none was running
 * @throws WeaveError INTERNAL if it does not end
 */
export async function stopDaemon({ control, env, err }: Context): Promise<boolean> {
  const pid = await runningPid(control);
  const report: Pick<Report, 'Proxy'> | undefined =
    pid === undefined ? undefined : await control.call('report', {});
  // First: at systemd's socket, the next client would start the daemon again.
  const units = await unitsInUse();
  if (units.length > 0) await systemctl('stop', ...units);
  if (pid !== undefined) await endDaemon(pid, control);
  warnOfShell(env, report?.Proxy?.Addresses ?? [], err);
  return pid !== undefined || units.length > 0;
}

async function endDaemon(pid: number, control: Context['control']): Promise<void> {
  await control.call('stop', {}).catch((error: unknown) => {
    // It has ended, or does before it has answered.
    if (!hasCode(error, 'NOT_RUNNING')) throw error;
  });
  if (!(await waitUntil(() => !existsSync(`/proc/${pid}`), patience))) {
    throw new WeaveError('INTERNAL', `weavets (pid ${pid}) does not stop; its log is ${logPlace}`);
  }
}

function warnOfShell(env: NodeJS.ProcessEnv, addresses: readonly string[], err: Context['err']): void {
  if (env.DOCKER_HOST === undefined || ![...addresses, paths.proxy].includes(env.DOCKER_HOST)) return;
  err(`warning: DOCKER_HOST still names the proxy; to use docker, run: eval $(weavets env --restore)`);
}
