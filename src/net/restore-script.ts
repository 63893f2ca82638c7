import { peerBranch, peerChain, type Table } from './firewall-rules.ts';

/** @param saved iptables-save's output @returns iptables-restore's input to get to `tables`; undefined: nothing to do */
export function restoreScript(tables: readonly Table[], saved: string): string | undefined {
  const parts = tables.flatMap((table) => tableScript(table, linesOf(saved, table.name)));
  return parts.length === 0 ? undefined : [...parts, ''].join('\n');
}

function tableScript(table: Table, lines: readonly string[]): string[] {
  const rulesOf = (chain: string) =>
    lines.filter((line) => line.startsWith(`-A ${chain} `)).map((line) => line.slice(4 + chain.length));
  const exists = (chain: string) => lines.some((line) => line.startsWith(`:${chain} `));
  const same = (a: readonly string[], b: readonly string[]) =>
    a.length === b.length && a.every((rule, i) => rule === b[i]);
  const stale = Object.entries(table.chains).filter(
    ([chain, rules]) => !exists(chain) || (rules !== undefined && !same(rulesOf(chain), rules)),
  );
  // The engine puts its own jumps on top when it restarts; ours must come before its verdicts.
  const moved = Object.entries(table.jumps).filter(([chain, jump]) => rulesOf(chain)[0] !== jump);
  const left = table.chains[peerChain] ? chainsOf(lines, peerBranch) : [];
  const gone = left.filter((chain) => !(chain in table.chains));
  if (stale.length === 0 && moved.length === 0 && gone.length === 0) return [];
  return [
    `*${table.name}`,
    ...stale.map(([chain]) => `:${chain} - [0:0]`),
    ...stale.flatMap(([chain, rules = []]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...moved.flatMap(([chain, jump]) => [
      ...rulesOf(chain)
        .filter((rule) => rule === jump)
        .map(() => `-D ${chain} ${jump}`),
      `-I ${chain} 1 ${jump}`,
    ]),
    ...gone.map((chain) => `-F ${chain}`),
    ...gone.map((chain) => `-X ${chain}`),
    'COMMIT',
  ];
}

/** @param saved iptables-save's output @returns what removes all our chains and the jumps to them */
export function removalScript(saved: string): string | undefined {
  const parts = (['filter', 'nat'] as const).flatMap((table) => {
    const lines = linesOf(saved, table);
    const chains = chainsOf(lines, 'WEAVE');
    if (chains.length === 0) return [];
    const jumps = lines
      .filter((line) => /^-A (?!WEAVE).* -[jg] WEAVE/.test(line))
      .map((line) => line.replace('-A', '-D'));
    const flushed = chains.map((chain) => `-F ${chain}`);
    return [`*${table}`, ...jumps, ...flushed, ...chains.map((chain) => `-X ${chain}`), 'COMMIT'];
  });
  return parts.length === 0 ? undefined : [...parts, ''].join('\n');
}

/** The lines of one table. */
function linesOf(saved: string, table: string): string[] {
  const lines = saved.split('\n');
  const start = lines.indexOf(`*${table}`);
  return start < 0 ? [] : lines.slice(start + 1, lines.indexOf('COMMIT', start));
}

/** Names of the chains that begin so. */
function chainsOf(lines: readonly string[], prefix: string): string[] {
  return lines.flatMap((line) => /^:(\S+) /.exec(line)?.[1] ?? []).filter((name) => name.startsWith(prefix));
}
