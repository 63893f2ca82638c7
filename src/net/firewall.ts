import { runOk } from '../lib/exec.ts';
import { bridgeName } from './bridge.ts';

/** The rules of one table: our chains in full, and where they are jumped to from. */
interface Table {
  name: 'filter' | 'nat';
  /** our chains: name to rules, each as iptables-save prints it, without `-A CHAIN` */
  chains: Readonly<Record<string, readonly string[]>>;
  /** built-in chain to the jump that must be its first rule */
  jumps: Readonly<Record<string, string>>;
}

/** What the rules depend on. */
export interface FirewallOptions {
  /** interface of the engine's default bridge, `docker0` */
  dockerBridge: string;
  /** accept DNS from containers */
  dns: boolean;
  /** TCP and UDP ports that containers may not reach on the host: control, store, VXLAN */
  closedPorts: readonly number[];
  /** further rules of WEAVE-INPUT, behind the others */
  input: readonly string[];
}

/** An address by which the host takes part, with what containers may do through it. */
export interface Exposure {
  /** `10.32.0.5/12` subnet form, `10.32.0.0/12` */
  subnet: string;
  masquerade: boolean;
}

/**
 * The host's firewall rules, in chains of our own with one jump each from the built-in ones; the engine's rules
 * stay as they are. `ensure` compares with what is there, so it can run as often as one likes.
 */
export class Firewall {
  readonly #options: FirewallOptions;
  #exposed: readonly Exposure[] = [];

  constructor(options: FirewallOptions) {
    this.#options = options;
  }

  /** Sets which subnets the host exposes; takes effect with the next {@link ensure}. */
  expose(exposed: readonly Exposure[]): void {
    this.#exposed = exposed;
  }

  /** Brings the rules to their state if they are not. @returns true if anything had to be changed */
  async ensure(): Promise<boolean> {
    let changed = false;
    for (const table of this.#tables()) {
      const script = restoreScript(table, await runOk(['iptables-save', '-t', table.name]));
      if (script === undefined) continue;
      await runOk(['iptables-restore', '--noflush', '--wait'], { input: script });
      changed = true;
    }
    return changed;
  }

  #tables(): Table[] {
    const { dockerBridge, dns, closedPorts, input } = this.#options;
    const from = `-i ${dockerBridge}`;
    return [
      {
        name: 'filter',
        jumps: { INPUT: '-j WEAVE-INPUT', FORWARD: '-j WEAVE-FORWARD' },
        chains: {
          'WEAVE-INPUT': [
            ...(dns ? ['udp', 'tcp'].map((p) => `${from} -p ${p} -m ${p} --dport 53 -j ACCEPT`) : []),
            ...closedPorts.flatMap((port) =>
              [from, `-i ${bridgeName}`].flatMap((source) =>
                ['tcp', 'udp'].map(
                  (p) =>
                    `${source} -p ${p} -m ${p} --dport ${port} -j REJECT --reject-with icmp-port-unreachable`,
                ),
              ),
            ),
            ...input,
          ],
          'WEAVE-FORWARD': [
            // Containers reach each other over the weave network, not around it.
            `${from} -o ${bridgeName} -j DROP`,
            // br_netfilter sends bridged frames here, and Docker's policy is DROP.
            `-i ${bridgeName} -o ${bridgeName} -j ACCEPT`,
            '-j WEAVE-EXPOSE',
          ],
          'WEAVE-EXPOSE': this.#exposed.flatMap(({ subnet }) => [
            `-s ${subnet} -i ${bridgeName} -j ACCEPT`,
            `-d ${subnet} -o ${bridgeName} -j ACCEPT`,
          ]),
        },
      },
      {
        name: 'nat',
        jumps: { POSTROUTING: '-j WEAVE' },
        chains: {
          WEAVE: this.#exposed
            .filter(({ masquerade }) => masquerade)
            .flatMap(({ subnet }) => [
              `-s ${subnet} -d 224.0.0.0/4 -j RETURN`,
              `! -s ${subnet} -d ${subnet} -o ${bridgeName} -j MASQUERADE`,
              `-s ${subnet} ! -d ${subnet} ! -o ${bridgeName} -j MASQUERADE`,
            ]),
        },
      },
    ];
  }
}

/** Takes away every chain of ours, and the jumps to them. */
export async function removeRules(): Promise<void> {
  for (const table of ['filter', 'nat']) {
    const saved = (await runOk(['iptables-save', '-t', table])).split('\n');
    const chains = saved.flatMap((line) => /^:(WEAVE\S*) /.exec(line)?.[1] ?? []);
    if (chains.length === 0) continue;
    const jumps = saved
      .filter((line) => /^-A (?!WEAVE).* -j WEAVE/.test(line))
      .map((line) => line.replace('-A', '-D'));
    const script = [
      `*${table}`,
      ...jumps,
      ...chains.map((chain) => `-F ${chain}`),
      ...chains.map((chain) => `-X ${chain}`),
      'COMMIT',
      '',
    ];
    await runOk(['iptables-restore', '--noflush', '--wait'], { input: script.join('\n') });
  }
}

/** @returns what iptables-restore must do to get from `saved` to `table`; undefined: nothing */
function restoreScript(table: Table, saved: string): string | undefined {
  const lines = saved.split('\n');
  const rulesOf = (chain: string) =>
    lines.filter((line) => line.startsWith(`-A ${chain} `)).map((line) => line.slice(4 + chain.length));
  const same = (a: readonly string[], b: readonly string[]) =>
    a.length === b.length && a.every((rule, i) => rule === b[i]);
  const stale = Object.entries(table.chains).filter(
    ([chain, rules]) => !lines.some((line) => line.startsWith(`:${chain} `)) || !same(rulesOf(chain), rules),
  );
  // The engine puts its own jumps on top when it restarts; ours must come before its verdicts.
  const moved = Object.entries(table.jumps).filter(([chain, jump]) => rulesOf(chain)[0] !== jump);
  if (stale.length === 0 && moved.length === 0) return undefined;
  return [
    `*${table.name}`,
    ...stale.map(([chain]) => `:${chain} - [0:0]`),
    ...stale.flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...moved.flatMap(([chain, jump]) => [
      ...rulesOf(chain)
        .filter((rule) => rule === jump)
        .map(() => `-D ${chain} ${jump}`),
      `-I ${chain} 1 ${jump}`,
    ]),
    'COMMIT',
    '',
  ].join('\n');
}
