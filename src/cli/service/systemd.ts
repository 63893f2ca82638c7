import { existsSync } from 'node:fs';
import { runOk } from '../../lib/exec.ts';

/** True where systemd is the host's first process. */
export function systemdRuns(): boolean {
  return existsSync('/run/systemd/system');
}

/** @throws WeaveError TOOL_FAILED with what systemctl said */
export async function systemctl(...args: string[]): Promise<void> {
  // A unit's start takes as long as its service needs; systemd itself sets the limit.
  await runOk(['systemctl', ...args], { deadline: null });
}
