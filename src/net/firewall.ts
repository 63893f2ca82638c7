import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { run, runOk } from '../lib/exec.ts';
import { droppedIn, withoutCounters } from './dns-limit.ts';
import { type FirewallState, limitProbe, type Table, tables6Of, tablesOf } from './firewall-rules.ts';
import { removalScript, restoreScript } from './restore-script.ts';

type Family = 'iptables' | 'ip6tables';

/**
 * Maintains the host's firewall rules, those of {@link tablesOf}, in chains of our own with one jump each from
 * the built-in ones; everyone else's rules stay as they are. They stay when the daemon ends, and are compared with what
 * is there each time.
 */
export class Firewall {
  #state: FirewallState;
  #applied = false;
  #looked6 = false;
  #dropped = 0;
  /** the counters of the rules when they were last looked at */
  #counted: number | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** what waits for the run under way to end */
  #next: Promise<boolean> | undefined;

  constructor(state: FirewallState) {
    this.#state = state;
  }

  /** Changes the rules' inputs, and updates the rules if needed. */
  async set(changes: Partial<FirewallState>): Promise<void> {
    const state = { ...this.#state, ...changes };
    if (this.#applied && isDeepStrictEqual(state, this.#state)) return;
    this.#state = state;
    await this.#ensure();
  }

  /** Restores rules that others have changed. @returns true if so */
  keep(): Promise<boolean> {
    return this.#ensure();
  }

  /** Packets to the name server dropped since the daemon began, as one address sent too many; of the last look. */
  get droppedQueries(): number {
    return this.#dropped;
  }

  #ensure(): Promise<boolean> {
    // One run at a time; all who ask while it is under way share the next.
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      return this.#apply();
    });
    this.#last = this.#next.catch(() => {});
    return this.#next;
  }

  async #apply(): Promise<boolean> {
    const saved = await runOk(['iptables-save', '--counters']);
    this.#count(droppedIn(saved));
    const changed = await bring('iptables', tablesOf(this.#state), withoutCounters(saved));
    this.#applied = true;
    // On a single host there may be nothing to close over IPv6: then checking for leftovers is enough.
    if (this.#looked6 && this.#state.closedPorts.length === 0) return changed;
    this.#looked6 = true;
    const saved6 = await readSaved6();
    if (saved6 === undefined) return changed;
    return (await bring('ip6tables', tables6Of(this.#state), saved6)) || changed;
  }

  /** What rules of an earlier daemon have dropped is none of ours; rules that were made anew begin at 0. */
  #count(now: number): void {
    const before = this.#counted ?? now;
    this.#dropped += now < before ? now : now - before;
    this.#counted = now;
  }
}

/** @returns true if anything had to be changed */
async function bring(family: Family, tables: readonly Table[], saved: string): Promise<boolean> {
  const script = restoreScript(tables, saved);
  if (script === undefined) return false;
  await runOk([`${family}-restore`, '--noflush', '--wait'], { input: script });
  return true;
}

/** The IPv6 rules; undefined if the kernel lacks IPv6 or its filter. */
async function readSaved6(): Promise<string | undefined> {
  if (!existsSync('/proc/sys/net/ipv6')) return undefined;
  const saved = await run(['ip6tables-save', '-t', 'filter']).catch(() => undefined);
  return saved?.code === 0 ? saved.stdout : undefined;
}

/** Whether the kernel can limit packets by their source: iptables alone does not make it so. */
export async function canLimit(): Promise<boolean> {
  const { code } = await run(['iptables-restore', '--noflush', '--wait'], { input: limitProbe });
  return code === 0;
}

/** Removes all our chains, and the jumps to them. */
export async function removeRules(): Promise<void> {
  const remove = async (family: Family, saved: string) => {
    const script = removalScript(saved);
    if (script !== undefined) await runOk([`${family}-restore`, '--noflush', '--wait'], { input: script });
  };
  await remove('iptables', await runOk(['iptables-save']));
  const saved = await readSaved6();
  if (saved !== undefined) await remove('ip6tables', saved);
}
