import { KeyedLock } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import type { Cidr, Ip4 } from '../model/address.ts';
import { blockRecord } from '../store/records/block.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import { asRead, type Entry, type Store, type Write } from '../store/store.ts';
import { BlockMap } from './block-map.ts';
import { Eras, type Look } from './eras.ts';
import { cellKey, formatCell, parseCell, type Slots, slotsOf } from './grid.ts';
import { LostBlocks } from './lost-blocks.ts';
import { OwnBlocks } from './own-blocks.ts';

/** Where {@link Cells} are kept. */
export interface CellsOptions {
  /** the cluster's store */
  shared: Store;
  /** this host's own, for when the cluster's is away */
  local: Store;
  /** this host's name; no other host may have it */
  peer: string;
  /** tells machines of one name apart: what a copy of this one's disk says is not believed */
  machine: string;
  /** what the shared store has while the name is this daemon's; absent: nobody else claims it */
  claimed?: { key: string; value: string } | undefined;
  range: Cidr;
  logger: Logger;
}

/** A cell as it was read, with what has to be as it was when it is written. */
export interface ReadCell {
  look: Look;
  entry: Entry | undefined;
  slots: Slots;
}

/** The cells of the shared store, and what this host has on disk and in memory of them: the one way to write any. */
export class Cells {
  /** As last heard of the shared store. */
  readonly map = new BlockMap();
  readonly lost = new LostBlocks();
  readonly own: OwnBlocks;
  readonly eras: Eras;
  readonly #options: CellsOptions;
  readonly #lock = new KeyedLock();
  readonly #reader: RecordReader<string, Record<string, string>>;

  private constructor(options: CellsOptions, eras: Eras, own: OwnBlocks) {
    this.#options = options;
    this.#reader = new RecordReader(blockRecord, options.logger);
    this.eras = eras;
    this.own = own;
  }

  static async load(options: CellsOptions): Promise<Cells> {
    const { local, peer, range } = options;
    const { eras, copied } = await Eras.load(options);
    if (copied) await OwnBlocks.discard(local);
    return new Cells(options, eras, await OwnBlocks.load(local, peer, range));
  }

  /** One at a time: each write goes with this host's next turn. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    return this.#lock.run('', task);
  }

  /** What the store says of a cell now. Notes if that is older than what was heard. */
  async read(cell: Ip4): Promise<ReadCell> {
    const { shared } = this.#options;
    const key = cellKey(cell);
    const heard = this.lost.heard(key);
    const [look, entry] = await Promise.all([this.eras.look(), shared.get(key)]);
    this.lost.compare(key, heard, entry);
    if (entry) this.map.note(cell, entry.value, entry.revision);
    else this.map.forget(cell);
    return { look, entry, slots: slotsOf(cell, parseCell(cell, entry?.value)) };
  }

  /** Writes a cell as `value`; what is this host's in `own` is its to give then, and what is not is not from now on. */
  async write(
    cell: Ip4,
    { look, entry }: ReadCell,
    { value, own, guards = [] }: { value: Slots; own: Slots; guards?: readonly Write[] },
  ): Promise<boolean> {
    await this.own.shrink(cell, own);
    const fence = await this.eras.fence(look);
    const write = { key: cellKey(cell), value: formatCell(cell, value), ...asRead(entry) };
    if (!(await this.#options.shared.commit([write, ...fence, ...guards]))) return false;
    await this.eras.confirm();
    await this.own.grow(cell, own);
    return true;
  }

  /** Everything that the shared store has, once the log tells of what is malformed. */
  async readAll(): Promise<Entry[]> {
    return this.told(await this.#options.shared.list(blockRecord.prefix));
  }

  told(entries: Entry[]): Entry[] {
    this.#reader.readAll(entries);
    return entries;
  }
}
