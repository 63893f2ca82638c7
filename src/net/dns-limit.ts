import { readFileSync } from 'node:fs';

/** The kernel's name for the sources that query the name server, and how much each may still send. */
export const limitName = 'weave-dns';

/** Packets that rules of the limit have dropped, by `iptables-save --counters`. */
export function droppedIn(saved: string): number {
  let sum = 0;
  for (const [, packets, rule = ''] of saved.matchAll(/^\[(\d+):\d+\] (-A .*)$/gm))
    if (rule.includes(`--hashlimit-name ${limitName} `)) sum += Number(packets);
  return sum;
}

/** The output of `iptables-save --counters` as it is without. */
export const withoutCounters = (saved: string) => saved.replaceAll(/^\[\d+:\d+\] /gm, '');

/** Addresses that have used up what they may send now. None where the kernel does not show it. */
export function sourcesAtLimit(read = readSources): string[] {
  // expires source:port->destination:port credit cap cost, the credit in the same unit as the cost of a packet
  const lines = read().matchAll(/^\d+ ([\d.]+):\d+->\S+ (\d+) \d+ (\d+)$/gm);
  return [...lines].flatMap(([, source = '', credit, cost]) =>
    Number(credit) < few * Number(cost) ? [source] : [],
  );
}

/** Packets for which a source is left credit that it uses up within a few milliseconds. */
const few = 10;

function readSources(): string {
  try {
    return readFileSync(`/proc/net/ipt_hashlimit/${limitName}`, 'utf8');
  } catch {
    return '';
  }
}
