import { readlinkSync } from 'node:fs';
import { runOk } from '../lib/exec.ts';

/**
 * Sets the hostname that a running container's processes see. The engine sets create's at each start, and
 * can't be told of another.
 */
export async function setHostname(pid: number, hostname: string): Promise<void> {
  const namespace = `/proc/${pid}/ns/uts`;
  // Never the host's own.
  if (readlinkSync(namespace) === readlinkSync('/proc/self/ns/uts')) return;
  await runOk(['nsenter', `--uts=${namespace}`, 'sysctl', '-qw', `kernel.hostname=${hostname}`]);
}
