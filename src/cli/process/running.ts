import { hasCode, WeaveError } from '../../lib/errors.ts';
import type { Context } from '../command.ts';
import { unitsInUse } from '../service/systemd.ts';

/** Pid of the daemon that answers on the control socket, ready or not; undefined if none does. */
export async function runningPid(control: Context['control']): Promise<number | undefined> {
  try {
    return (await control.call('ping', {}, { timeoutMs: 5_000 })).pid;
  } catch (error) {
    if (hasCode(error, 'NOT_RUNNING')) return undefined;
    throw error;
  }
}

/** @throws WeaveError ALREADY_RUNNING */
export async function refuseSecond(control: Context['control']): Promise<void> {
  const pid = await runningPid(control);
  if (pid === undefined) return;
  throw new WeaveError(
    'ALREADY_RUNNING',
    `weavets is already running (pid ${pid}); stop it first with: weavets stop`,
  );
}

/** @throws WeaveError ALREADY_RUNNING where systemd starts it for the next client, who would wait for two */
export async function refuseBesideUnits(): Promise<void> {
  if ((await unitsInUse()).length === 0) return;
  throw new WeaveError(
    'ALREADY_RUNNING',
    "systemd has weavets' socket; start weavets by 'systemctl start weavets', or free the socket by 'weavets stop'",
  );
}

/** Checks every 25 ms: Linux tells nobody but the parent that a process has ended. @returns false after `ms` */
export async function waitUntil(probe: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!(await probe())) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}
