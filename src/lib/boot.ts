import { readFileSync } from 'node:fs';

/** Identifies this boot of the host: pids start again with each. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
