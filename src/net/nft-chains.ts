import { run } from '../lib/exec.ts';

interface NftObject {
  chain?: { family: string; table: string; name: string; hook?: string; policy?: string };
  rule?: { family: string; table: string; chain: string; expr: unknown[] };
}

/** Where the kernel asks a firewall about a packet. */
export type Hook = 'input' | 'output' | 'forward';

/**
 * Chains, `inet mine forward`, that hook in there and may drop, whoever made them; none where nft is not installed.
 * @param but those in which our own rules let through what is ours
 */
export async function droppingChains(hook: Hook, but: string): Promise<string[]> {
  const listed = await run(['nft', '--json', 'list', 'ruleset']).catch(() => undefined);
  if (listed?.code !== 0) return [];
  const { nftables } = JSON.parse(listed.stdout) as { nftables: NftObject[] };
  const drops = new Set(
    nftables.flatMap(({ rule }) =>
      rule && /"(drop|reject)":/.test(JSON.stringify(rule.expr))
        ? `${rule.family} ${rule.table} ${rule.chain}`
        : [],
    ),
  );
  return nftables.flatMap(({ chain }) => {
    if (chain?.hook !== hook || chain.family === 'bridge' || chain.family === 'netdev') return [];
    const name = `${chain.family} ${chain.table} ${chain.name}`;
    return name !== but && (chain.policy === 'drop' || drops.has(name)) ? [name] : [];
  });
}

/**
 * What to say of packets that a hook stops, with the lines to type.
 * @param what `frames between containers`; @param match of nft, `udp dport 53`
 */
export async function hookAdvice(
  hook: Hook,
  { what, match }: { what: string; match: string },
): Promise<string> {
  const own = { input: 'ip filter INPUT', forward: 'ip filter FORWARD', output: 'ip filter OUTPUT' }[hook];
  const chains = await droppingChains(hook, own);
  if (chains.length === 0) {
    return `some ${hook} chain drops them; find it with 'nft list ruleset' and 'iptables-save', and let ${what} through there: ${match}`;
  }
  const named = chains.map((chain) => `the nft chain '${chain}'`).join(', ');
  const lines = chains.map((chain) => `nft insert rule ${chain} ${match} accept`).join('; ');
  return `${named} ${chains.length === 1 ? 'drops' : 'drop'} them; let them through with: ${lines}`;
}
