import type { Cidr, Ip4 } from '../model/address.ts';
import { blockRecord } from '../store/records/block.ts';
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

/** The addresses that this host may give: in memory, and in the host's own store for when the shared one is away. */
export class OwnBlocks {
  readonly #store: Store;
  readonly #peer: string;
  /** By cell; every slot is this host's name or undefined. */
  readonly #cells = new Map<Ip4, Slots>();
  #ranges: Part[] = [];

  private constructor(store: Store, peer: string) {
    this.#store = store;
    this.#peer = peer;
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
        slots.map((owner, i) => (owner === peer && range.contains(cell + i) ? peer : undefined)),
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
    return this.#cells.get(cellOf(ip))?.[ip - cellOf(ip)] !== undefined;
  }

  /** Gives up what is not this host's by `slots`: at once, and durably once it resolves. */
  async shrink(cell: Ip4, slots: Slots): Promise<void> {
    const before = this.#slots(cell);
    const after = before.map((mine, i) => (slots[i] === this.#peer ? mine : undefined));
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

  #slots(cell: Ip4): Slots {
    return this.#cells.get(cell) ?? slotsOf(cell, []);
  }

  #set(cell: Ip4, slots: Slots): void {
    if (slots.some((owner) => owner !== undefined)) this.#cells.set(cell, slots);
    else this.#cells.delete(cell);
    const cells = [...this.#cells].sort(([a], [b]) => a - b);
    this.#ranges = merge(cells.flatMap(([at, mine]) => partsOf(at, mine)));
  }

  async #save(cell: Ip4, slots: Slots): Promise<void> {
    await this.#store.commit([{ key: cellKey(cell), value: formatCell(cell, slots) }]);
  }
}

const same = (a: Slots, b: Slots) => a.every((owner, i) => owner === b[i]);
