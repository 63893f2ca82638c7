import type { Ip4 } from '../model/address.ts';
import type { Entry } from '../store/store.ts';
import { cellOf, keyCell, parseCell, type Slots, slotsOf, unreadable } from './grid.ts';

/**
 * What was heard of blocks, and which of it the shared store has lost. Keys of blocks are never deleted while there is a
 * cluster, and revisions grow: a store that says less was set back to an earlier state. What it has lost may be all
 * that is known of a host that is away.
 */
export class LostBlocks {
  /** As told by the watch, and by nothing else: what comes later from the store is never older. */
  #heard = new Map<string, Entry>();
  readonly #lost = new Map<Ip4, Slots>();
  /** Something was found for which no era was begun yet. */
  isNew = false;

  get size(): number {
    return this.#lost.size;
  }

  get cells(): Ip4[] {
    return [...this.#lost.keys()];
  }

  /** Who had an address when the store still knew. */
  ownerOf(ip: Ip4): string | undefined {
    const owner = this.#lost.get(cellOf(ip))?.[ip - cellOf(ip)];
    return owner === unreadable ? undefined : owner;
  }

  /** It is in the store again. */
  clear(): void {
    this.#lost.clear();
  }

  hear({ key, value, revision }: { key: string; value: string | null; revision: number }): void {
    if (value === null) this.#heard.delete(key);
    else this.#heard.set(key, { key, value, revision });
  }

  /** All is heard anew. */
  reset(entries: readonly Entry[]): void {
    this.compareAll(this.#heard, entries);
    this.#heard = new Map(entries.map((entry) => [entry.key, entry]));
  }

  /** As it is before a read, for {@link compare} after it. */
  heard(key: string): Entry | undefined {
    return this.#heard.get(key);
  }

  allHeard(): ReadonlyMap<string, Entry> {
    return new Map(this.#heard);
  }

  /** Notes what the store has lost of all that was heard. */
  compareAll(heard: ReadonlyMap<string, Entry>, entries: readonly Entry[]): void {
    const now = new Map(entries.map((entry) => [entry.key, entry]));
    for (const [key, entry] of heard) this.compare(key, entry, now.get(key));
  }

  /** Notes if the store has lost what had been heard of a key before it was read. */
  compare(key: string, heard: Entry | undefined, now: Entry | undefined): void {
    if (heard === undefined) return;
    if (now && now.revision > heard.revision) return;
    if (now?.revision === heard.revision && now.value === heard.value) return;
    if (this.#heard.get(key) === heard) this.#heard.delete(key);
    const cell = keyCell(key);
    if (cell === undefined) return;
    this.#lost.set(cell, slotsOf(cell, parseCell(cell, heard.value)));
    this.isNew = true;
  }
}
