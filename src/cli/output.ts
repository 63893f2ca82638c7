/** Addresses on one line, separated by spaces; no line for none. */
export function printAddresses(addresses: readonly string[], out: (line: string) => void): void {
  if (addresses.length > 0) out(addresses.join(' '));
}
