import { readFileSync } from 'node:fs';

/** Tells this run of the host from every other: pids begin anew with each. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
