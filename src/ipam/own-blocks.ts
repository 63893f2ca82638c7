import type { Cidr, Ip4 } from '../model/address.ts';
import { addressRecord } from '../store/records/address.ts';
import { blockRecord } from '../store/records/block.ts';
import { standRecord } from '../store/records/era.ts';
import type { Store } from '../store/store.ts';
import {
  cellKey,
  cellOf,
  formatCell,
  keyCell,
  merge,
  type Part,
  parseCell,
  partsOf,
  type Slots,
  slotsOf,
} from './grid.ts';
import type { Range } from './space.ts';

/** In the place of an owner: this host has given it up, and does not know yet whether the shared store has heard. */
const givenUp = '-';

/** The addresses that this host may give: in memory, and in the host's own store for when the shared one is away. */
export class OwnBlocks {
  readonly #store: Store;
  readonly #peer: string;
  /** By cell; every slot is this host's name, `givenUp` or undefined. */
  readonly #cells = new Map<Ip4, Slots>();
  #ranges: Part[] = [];

  private constructor(store: Store, peer: string) {
    this.#store = store;
    this.#peer = peer;
  }

  /** Forgets on disk what this host had in a cluster. */
  static forget(store: Store): Promise<void> {
    return removeAll(store, blockRecord.prefix, standRecord.prefix);
  }

  /** Forgets it, and the addresses that were given of it: they are those of the machine that this one is a copy of. */
  static discard(store: Store): Promise<void> {
    return removeAll(store, blockRecord.prefix, standRecord.prefix, addressRecord.prefix);
  }

  /** Reads back what this host owned in this range under this name. */
  static async load(store: Store, peer: string, range: Cidr): Promise<OwnBlocks> {
    const own = new OwnBlocks(store, peer);
    for (const { key, value } of await store.list(blockRecord.prefix)) {
      const cell = keyCell(key);
      if (cell === undefined) continue;
      const slots = slotsOf(cell, parseCell(cell, value));
      own.#set(
        cell,
        slots.map((owner, i) =>
          (owner === peer || owner === givenUp) && range.contains(cell + i) ? owner : undefined,
        ),
      );
    }
    return own;
  }

  /** Ascending, neighbours joined. */
  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  get cells(): Ip4[] {
    return [...this.#cells.keys()];
  }

  has(ip: Ip4): boolean {
    return this.#at(ip) === this.#peer;
  }

  /** True for what this host gave up, and the shared store may say is still its. */
  gaveUp(ip: Ip4): boolean {
    return this.#at(ip) === givenUp;
  }

  /** The shared store says whose these are: what is another's, or nobody's, was given up for good. */
  heard(cell: Ip4, slots: Slots): void {
    const before = this.#slots(cell);
    const after = before.map((owner, i) =>
      owner === givenUp && slots[i] !== this.#peer ? undefined : owner,
    );
    if (!same(before, after)) this.#set(cell, after);
  }

  /** Gives up what is not this host's by `slots`: at once, and durably once it resolves. */
  async shrink(cell: Ip4, slots: Slots): Promise<void> {
    const before = this.#slots(cell);
    const after = before.map((owner, i) => (this.has(cell + i) && slots[i] !== this.#peer ? givenUp : owner));
    if (same(before, after)) return;
    this.#set(cell, after);
    await this.#save(cell, after);
  }

  /** Takes over what is this host's by `slots`; it may be allocated once it is on disk. */
  async grow(cell: Ip4, slots: Slots): Promise<void> {
    const after = slots.map((owner) => (owner === this.#peer ? owner : undefined));
    if (same(this.#slots(cell), after)) return;
    await this.#save(cell, after);
    this.#set(cell, after);
  }

  #at(ip: Ip4): string | undefined {
    return this.#cells.get(cellOf(ip))?.[ip - cellOf(ip)];
  }

  #slots(cell: Ip4): Slots {
    return this.#cells.get(cell) ?? slotsOf(cell, []);
  }

  #set(cell: Ip4, slots: Slots): void {
    if (slots.some((owner) => owner !== undefined)) this.#cells.set(cell, slots);
    else this.#cells.delete(cell);
    const cells = [...this.#cells].sort(([a], [b]) => a - b);
    const parts = cells.flatMap(([at, slots]) => partsOf(at, slots));
    this.#ranges = merge(parts.filter(({ peer }) => peer === this.#peer));
  }

  async #save(cell: Ip4, slots: Slots): Promise<void> {
    const value = slots.some((owner) => owner !== undefined) ? formatCell(cell, slots) : null;
    await this.#store.commit([{ key: cellKey(cell), value }]);
  }
}

const same = (a: Slots, b: Slots) => a.every((owner, i) => owner === b[i]);

async function removeAll(store: Store, ...prefixes: string[]): Promise<void> {
  const entries = (await Promise.all(prefixes.map((prefix) => store.list(prefix)))).flat();
  await store.commit(entries.map(({ key }) => ({ key, value: null })));
}
