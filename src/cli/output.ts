import type { Outputs } from '../control/outputs.ts';

/** Addresses on one line, separated by spaces; no line for none. */
export function printAddresses(addresses: readonly string[], out: (line: string) => void): void {
  if (addresses.length > 0) out(addresses.join(' '));
}

/** What a command prints with `--json`, in its documented form: `toJson<'attach'>(…)`. */
export function toJson<K extends keyof Outputs>(value: Outputs[K]): string {
  return JSON.stringify(value, null, 2);
}
