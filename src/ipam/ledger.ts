import { messageOf, WeaveError } from '../lib/errors.ts';
import { KeyedLock } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import { type Cidr, formatIp, type Ip4 } from '../model/address.ts';
import { blockRecord } from '../store/records/block.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Entry, Store } from '../store/store.ts';
import type { Allocator } from './allocator.ts';
import { BlockMap } from './block-map.ts';
import {
  cellKey,
  cellOf,
  formatCell,
  keyCell,
  parseCell,
  rewrite,
  type Slots,
  slotsOf,
  unreadable,
} from './grid.ts';
import { OwnBlocks } from './own-blocks.ts';

/** Knows which addresses are in use on this host. */
export type Holder = Pick<Allocator, 'isHeld' | 'owners' | 'owned'>;

/** Where a {@link Ledger} is kept. */
export interface LedgerOptions {
  /** the cluster's store */
  shared: Store;
  /** this host's own, for when the cluster's is away */
  local: Store;
  /** this host's name; no other host may have it */
  peer: string;
  range: Cidr;
  logger: Logger;
}

/**
 * Who owns which addresses, and the one way to change it.
 *
 * What makes a double address impossible: what a host believes to own, in memory and on disk, never exceeds what
 * the shared store says. It shrinks before a write that gives away is sent, whatever becomes of that write; it grows
 * only after a write of its own to that key succeeded, which also voids every older one that may still be under way.
 * Nobody takes from a host, save by removing it. A host that comes back after that keeps what no one took meanwhile;
 * of the rest it gives no more addresses, and logs which are in use twice.
 */
export class Ledger {
  /** As last heard of the shared store. */
  readonly map = new BlockMap();
  readonly own: OwnBlocks;
  readonly #options: LedgerOptions;
  readonly #lock = new KeyedLock();
  readonly #disputed = new Set<Ip4>();
  readonly #reader: RecordReader<string, Record<string, string>>;
  #holder: Holder | undefined;
  #heard = false;
  /** why this host may not change or use what it owns now; undefined: it may */
  suspended: string | undefined;

  private constructor(options: LedgerOptions, own: OwnBlocks) {
    this.#options = options;
    this.#reader = new RecordReader(blockRecord, options.logger);
    this.own = own;
  }

  static async load(options: LedgerOptions): Promise<Ledger> {
    return new Ledger(options, await OwnBlocks.load(options.local, options.peer, options.range));
  }

  /** True once `map` has been all that the shared store held. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Tells who holds addresses. What is held but nobody's is taken; resolves when that was tried. */
  attach(holder: Holder): Promise<void> {
    this.#holder = holder;
    return this.settleAll();
  }

  /** @throws WeaveError CLUSTER_MISMATCH */
  checkNotSuspended(): void {
    if (this.suspended !== undefined) throw new WeaveError('CLUSTER_MISMATCH', this.suspended);
  }

  /** True for what is in use here; all is until there is a holder to say otherwise. */
  isHeld(ip: Ip4): boolean {
    return this.#holder?.isHeld(ip) ?? true;
  }

  /**
   * Changes whose the addresses of a cell are. `change` sees the present state, alters it, and says whether to write;
   * what it gives away is not ours from that moment, what it takes is ours when this resolves.
   * @returns false when `change` did not want to
   */
  update(cell: Ip4, change: (slots: Slots) => boolean): Promise<boolean> {
    const { shared } = this.#options;
    const key = cellKey(cell);
    return this.#lock.run(key, async () => {
      for (;;) {
        this.checkNotSuspended();
        const entry = await shared.get(key);
        if (entry) this.map.note(cell, entry.value, entry.revision);
        else this.map.forget(cell);
        const slots = slotsOf(cell, parseCell(cell, entry?.value));
        if (slots.includes(unreadable)) throw malformed(key);
        if (!change(slots)) return false;
        await this.own.shrink(cell, slots);
        const write = { key, value: formatCell(cell, slots), expect: entry?.revision ?? 0 };
        if (await shared.commit([write])) {
          await this.own.grow(cell, slots);
          return true;
        }
      }
    });
  }

  /** Reads all anew, and sets right what differs. */
  async refresh(): Promise<void> {
    this.map.merge(await this.#read());
    this.#heard = true;
    await this.settleAll();
  }

  /** Hears of every change from now on; resolves when all was heard once. */
  async follow(signal: AbortSignal): Promise<void> {
    const watcher = {
      reset: (entries: Entry[]) => {
        this.map.reset(this.#told(entries));
        this.#heard = true;
        void this.settleAll();
      },
      change: ({ key, value, revision }: { key: string; value: string | null; revision: number }) => {
        const cell = keyCell(key);
        if (cell === undefined) return;
        if (value !== null) this.#reader.read({ key, value, revision });
        this.map.note(cell, value, revision);
        void this.#settleIfNeeded(cell);
      },
    };
    await this.#options.shared.watch(blockRecord.prefix, watcher, signal);
  }

  async #read(): Promise<Entry[]> {
    return this.#told(await this.#options.shared.list(blockRecord.prefix));
  }

  /** The entries, once the log tells of those that are malformed. */
  #told(entries: Entry[]): Entry[] {
    this.#reader.readAll(entries);
    return entries;
  }

  /** Sets right whatever differs between this host's belief and what it has heard. */
  async settleAll(): Promise<void> {
    if (!this.#heard) return;
    const held = this.#holder?.owners().flatMap((owner) => this.#holder?.owned(owner) ?? []) ?? [];
    const cells = [
      ...this.own.cells,
      ...this.map.cellsOf(this.#options.peer),
      ...held.map(({ ip }) => cellOf(ip)),
    ];
    for (const cell of new Set(cells)) await this.#settleIfNeeded(cell);
  }

  /**
   * Sets a cell right. What the store says is ours, and we did not know (a write whose answer was lost, a gift) we
   * write once more, and own; what we have and is nobody's (we had been removed) we take again; what others have is
   * no longer ours.
   */
  async settle(cell: Ip4): Promise<void> {
    const { peer } = this.#options;
    await this.update(cell, (slots) => {
      const taken = rewrite(cell, slots, (owner, ip) => owner ?? (this.#needs(ip) ? peer : undefined));
      const differs = slots.some((owner, i) => (owner === peer) !== this.own.has(cell + i));
      for (const [i, owner] of slots.entries()) this.#dispute(cell + i, owner);
      return taken > 0 || differs;
    });
  }

  async #settleIfNeeded(cell: Ip4): Promise<void> {
    const { peer, logger } = this.#options;
    const slots = this.map.slots(cell);
    if (slots.includes(unreadable)) return;
    const right = slots.every((owner, i) => {
      const ip = cell + i;
      return (owner === peer) === this.own.has(ip) && (owner !== undefined || !this.#needs(ip));
    });
    if (right) return;
    // The store may have gone again; everything is looked at anew when it is back.
    await this.settle(cell).catch((error: unknown) =>
      logger.debug({ block: formatIp(cell), reason: messageOf(error) }, 'cannot correct a block yet'),
    );
  }

  /** True for what we own, or hold from before there was a cluster. */
  #needs(ip: Ip4): boolean {
    return this.own.has(ip) || (this.#options.range.contains(ip) && (this.#holder?.isHeld(ip) ?? false));
  }

  #dispute(ip: Ip4, owner: string | undefined): void {
    if (owner === undefined || owner === this.#options.peer || !this.#holder?.isHeld(ip)) return;
    if (this.#disputed.has(ip)) return;
    this.#disputed.add(ip);
    this.#options.logger.error(
      { address: formatIp(ip), owner },
      'an address in use on this host belongs to another host, which may allocate it too; remove one of the containers',
    );
  }
}

function malformed(key: string): WeaveError {
  return new WeaveError(
    'STORE_UNAVAILABLE',
    `the store's record ${key} is malformed, so the owners of these addresses are unknown; delete it with 'etcdctl del /weavets/${key}', and every host takes back what it has in use`,
  );
}
