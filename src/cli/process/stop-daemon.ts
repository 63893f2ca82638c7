import { existsSync } from 'node:fs';
import { hasCode, WeaveError } from '../../lib/errors.ts';
import { paths } from '../../model/paths.ts';
import type { Report } from '../../report/report.ts';
import type { Context } from '../command.ts';
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
  if (pid === undefined) {
    warnOfShell(env, [], err);
    return false;
  }
  const { Proxy: proxy }: Pick<Report, 'Proxy'> = await control.call('report', {});
  await control.call('stop', {}).catch((error: unknown) => {
    // It may end before it has answered.
    if (!hasCode(error, 'NOT_RUNNING')) throw error;
  });
  if (!(await waitUntil(() => !existsSync(`/proc/${pid}`), patience))) {
    throw new WeaveError('INTERNAL', `weavets (pid ${pid}) does not stop; its log is ${paths.log}`);
  }
  warnOfShell(env, proxy?.Addresses ?? [], err);
  return true;
}

function warnOfShell(env: NodeJS.ProcessEnv, addresses: readonly string[], err: Context['err']): void {
  if (env.DOCKER_HOST === undefined || ![...addresses, paths.proxy].includes(env.DOCKER_HOST)) return;
  err(`warning: DOCKER_HOST still names the proxy; to use docker, run: eval $(weavets env --restore)`);
}
