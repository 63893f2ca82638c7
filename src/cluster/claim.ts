import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode, messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Ip } from '../model/address.ts';
import { aliveRecord, type Holder } from '../store/records/alive.ts';
import { hostRecord } from '../store/records/host.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';
import { parkedRun } from './moved.ts';
import { settingsKey, whereMoved } from './settings.ts';

/** A {@link NameClaim}'s collaborators. */
export interface NameClaimDeps {
  shared: Store;
  /** this host's name */
  name: string;
  /** random, kept on this host: tells it from others of its name */
  id: string;
  address: Ip;
  /** called with the reason if the name is another's, or undefined if it is this host's */
  changed: (lost: string | undefined) => void;
  signal: AbortSignal;
  logger: Logger;
  /** ms to wait for the name at launch; longer than a lease outlives its host; 15,000 if absent */
  patience?: number;
  /** ms between attempts; 500 if absent */
  pause?: number;
}

/**
 * This host's claim to its name, by which it owns addresses: one host at a time has it, who wrote `alive/<name>` first.
 * It is claimed by a transaction, watched, and claimed again when it was lost. While another has it, this host gives no
 * more addresses; what it gave stays.
 */
export class NameClaim {
  readonly #deps: NameClaimDeps;
  readonly #holder: Holder;
  readonly #reader: RecordReader<string, Holder>;
  #lost: string | undefined;
  #trying = false;
  #released = false;
  #regained = () => {};

  private constructor(deps: NameClaimDeps) {
    this.#deps = deps;
    this.#holder = { id: deps.id, run: randomUUID(), address: deps.address };
    this.#reader = new RecordReader(aliveRecord, deps.logger);
  }

  /**
   * Takes the name. While the store is away the host goes on as if it had it; it is claimed when the store is back.
   * @throws WeaveError CLUSTER_MISMATCH when another host has the name
   */
  static async take(deps: NameClaimDeps): Promise<NameClaim> {
    const claim = new NameClaim(deps);
    const { patience = 15_000, pause = 500 } = deps;
    const end = performance.now() + patience;
    for (;;) {
      try {
        const other = await claim.#attempt();
        if (other === undefined) return claim;
        if (other.final || performance.now() > end) throw new WeaveError('CLUSTER_MISMATCH', other.text);
      } catch (error) {
        if (hasCode(error, 'STORE_UNAVAILABLE')) return claim;
        throw error;
      }
      await delay(pause);
    }
  }

  /** False while another host has the name. */
  get held(): boolean {
    return this.#lost === undefined;
  }

  /** What the store has while the name is this daemon's. */
  get entry(): { key: string; value: string } {
    return { key: aliveRecord.keyOf(this.#deps.name), value: aliveRecord.format(this.#holder) };
  }

  /** @param told called when this host has its name again after another had it */
  onRegained(told: () => void): void {
    this.#regained = told;
  }

  /** Stops claiming the name. */
  release(): void {
    this.#released = true;
  }

  /** The store's record under the name may have changed. */
  heard(): void {
    if (this.#trying || this.#released || this.#deps.signal.aborted) return;
    this.#trying = true;
    void this.#settle().finally(() => {
      this.#trying = false;
    });
  }

  /** Tries until the name is this host's. */
  async #settle(): Promise<void> {
    const { signal, logger, pause = 500 } = this.#deps;
    while (!signal.aborted && !this.#released) {
      try {
        const other = await this.#attempt();
        this.#set(other?.text);
        if (other === undefined) return;
      } catch (error) {
        logger.debug({ reason: messageOf(error) }, 'cannot claim the name of this host yet');
      }
      await delay(pause, undefined, { signal }).catch(() => {});
    }
  }

  #set(lost: string | undefined): void {
    if (this.#lost === lost) return;
    this.#lost = lost;
    this.#deps.changed(lost);
    if (lost === undefined) this.#regained();
  }

  /** Claims the name if it is free. @returns who has it, and whether waiting can't help */
  async #attempt(): Promise<{ text: string; final: boolean } | undefined> {
    const { shared, name, address, id } = this.#deps;
    const key = aliveRecord.keyOf(name);
    const entry = await shared.get(key);
    const holder = entry && this.#reader.read(entry)?.value;
    if (holder?.run === this.#holder.run) return undefined;
    if (holder?.run === parkedRun) {
      const text = whereMoved(await shared.get(settingsKey));
      return { text: text ?? 'the cluster is moving to another etcd just now', final: text !== undefined };
    }
    // Two live hosts can't have one address: that was an earlier run here, or the machine that this one replaces.
    if (holder && holder.address !== address) {
      const text = `another host of the cluster, ${holder.address}, has the name ${name} of this one; were they cloned? give this one another /etc/machine-id, or launch with --name`;
      return { text, final: false };
    }
    const known = await shared.get(hostRecord.keyOf(name));
    const parsed = known && hostRecord.parse(known);
    const before = typeof parsed === 'object' ? parsed.value : undefined;
    if (before && before.id !== id && before.address !== address) {
      const text = `the name ${name} of this host belongs to ${before.nickname}, ${before.address}, which is away; if it is gone for good, run 'weavets rmpeer ${name}' on another host, else launch this one with --name`;
      return { text, final: true };
    }
    const claim = aliveRecord.write(name, this.#holder, { leased: true, expect: entry?.revision ?? 0 });
    if (await shared.commit([claim])) return undefined;
    return { text: `another host claims the name ${name} of this one`, final: false };
  }
}
