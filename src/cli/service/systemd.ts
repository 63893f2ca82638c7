import { existsSync } from 'node:fs';
import { run, runOk } from '../../lib/exec.ts';

/** The socket is first, as it is needed by the other. */
export const units = ['weavets.socket', 'weavets.service'] as const;

/** Who may use the proxy, as with the engine's own socket. */
export const socketGroup = 'docker';

/** True where systemd is the host's first process. */
export function systemdRuns(): boolean {
  return existsSync('/run/systemd/system');
}

/** @throws WeaveError TOOL_FAILED with what systemctl said */
export async function systemctl(...args: string[]): Promise<void> {
  // A unit's start takes as long as its service needs; systemd itself sets the limit.
  await runOk(['systemctl', ...args], { deadline: null });
}

/** Those of our units that run, are started again, or wait for a client. */
export async function unitsInUse(): Promise<string[]> {
  if (!systemdRuns()) return [];
  const { stdout } = await run(['systemctl', 'is-active', ...units]);
  const states = stdout.split('\n');
  return units.filter((_, at) => !['inactive', 'failed', ''].includes(states[at] ?? ''));
}

/** The socket's group, which comes with Docker: without it systemd would not open the socket. */
export async function ensureSocketGroup(): Promise<void> {
  const { code } = await run(['getent', 'group', socketGroup]);
  if (code !== 0) await runOk(['groupadd', '--system', socketGroup]);
}

/** Its version, as 254; 0 where there is none. */
export async function systemdVersion(): Promise<number> {
  const said = await run(['systemctl', '--version']).catch(() => undefined);
  return Number(/^systemd (\d+)/.exec(said?.stdout ?? '')?.[1] ?? 0);
}
