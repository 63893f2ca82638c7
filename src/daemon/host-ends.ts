import { existsSync } from 'node:fs';
import { run } from '../lib/exec.ts';

/**
 * True while systemd takes the host down: containers then come back with the engine, before us, and are to wait for us
 * as they did.
 */
export async function hostEnds(): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return false;
  const answer = await run(['systemctl', 'is-system-running']).catch(() => undefined);
  return answer?.stdout.trim() === 'stopping';
}
