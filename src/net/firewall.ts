import { runOk } from '../lib/exec.ts';
import { type FirewallState, removalScript, restoreScript, tablesOf } from './firewall-rules.ts';

/**
 * Holds the host's firewall rules, of which {@link tablesOf} knows all, in chains of our own with one jump each from
 * the built-in ones; everyone else's rules stay as they are. They stay when the daemon ends, and are compared with what
 * is there each time.
 */
export class Firewall {
  #state: FirewallState;
  #last: Promise<unknown> = Promise.resolve();
  /** what waits for the run under way to end */
  #next: Promise<boolean> | undefined;

  constructor(state: FirewallState) {
    this.#state = state;
  }

  /** Changes what the rules are made of, and brings them there, if they are not. */
  async set(changes: Partial<FirewallState>): Promise<void> {
    this.#state = { ...this.#state, ...changes };
    await this.#ensure();
  }

  /** Brings the rules back where others have changed them. @returns true if so */
  keep(): Promise<boolean> {
    return this.#ensure();
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
    const script = restoreScript(tablesOf(this.#state), await runOk(['iptables-save']));
    if (script === undefined) return false;
    await runOk(['iptables-restore', '--noflush', '--wait'], { input: script });
    return true;
  }
}

/** Takes away every chain of ours, and the jumps to them. */
export async function removeRules(): Promise<void> {
  const script = removalScript(await runOk(['iptables-save']));
  if (script !== undefined) await runOk(['iptables-restore', '--noflush', '--wait'], { input: script });
}
