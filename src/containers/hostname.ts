import { closeSync } from 'node:fs';
import { runOk } from '../lib/exec.ts';
import type { ContainerProcess } from './container-process.ts';

/**
 * Sets the hostname that a running container's processes see, never the host's own. The engine sets create's
 * at each start, and can't be told of another.
 */
export async function setHostname(container: ContainerProcess, hostname: string): Promise<void> {
  const uts = container.openUts();
  if (uts === undefined) return;
  try {
    const inside = `--uts=/proc/${process.pid}/fd/${uts}`;
    await runOk(['nsenter', inside, 'sysctl', '-qw', `kernel.hostname=${hostname}`]);
  } finally {
    closeSync(uts);
  }
}
