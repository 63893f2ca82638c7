import { messageOf, WeaveError } from '../lib/errors.ts';
import { formatIp, type Ip4 } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { blockRecord } from '../store/records/block.ts';
import { eraRecord } from '../store/records/era.ts';
import type { Entry } from '../store/store.ts';
import type { Allocator } from './allocator.ts';
import type { BlockMap } from './block-map.ts';
import { Cells, type CellsOptions } from './cells.ts';
import { cellKey, cellOf, keyCell, rewrite, type Slots, unreadable } from './grid.ts';
import type { OwnBlocks } from './own-blocks.ts';
import { Retelling } from './retelling.ts';

/** Knows which addresses are in use on this host. */
export type Holder = Pick<Allocator, 'isHeld' | 'owners' | 'owned'>;

/** Where a {@link Ledger} is kept, and whom it tells. */
export interface LedgerOptions extends CellsOptions {
  conditions: Pick<Conditions, 'update'>;
  signal: AbortSignal;
  /** ms that the hosts have to tell what they have, after the shared store was set back; 30,000 if absent */
  quarantine?: number;
}

/**
 * Who owns which addresses, and the one way to change it.
 *
 * What makes a double address impossible: what a host believes to own, in memory and on disk, never exceeds what
 * the shared store says. It shrinks before a write that gives away is sent, whatever becomes of that write; it grows
 * only after a write of its own to that key succeeded, which also voids every older one that may still be under way.
 * Nobody takes from a host, save by removing it. A host that comes back after that keeps what no one took meanwhile;
 * of the rest it gives no more addresses, asks for those that are in use here, and says which it does not get.
 *
 * When the shared store is set back to an earlier state, what hosts own, each on its disk, is the truth. Whoever notices
 * (eras.ts) begins an era: each host writes again what it owns over whatever the store says, and in the name of hosts that
 * are away what it had heard (lost-blocks.ts). What the store says is a host's, and the host did not own, is not the
 * host's. Until the hosts that live have done so no block changes hands; each gives from those that it has.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #cells: Cells;
  readonly #retelling: Retelling;
  readonly #disputed = new Set<Ip4>();
  #holder: Holder | undefined;
  #heard = false;
  /** told when addresses in use here belong to others */
  onContested: () => void = () => {};
  /** why this host may not change or use what it owns now; undefined: it may */
  suspended: string | undefined;

  private constructor(options: LedgerOptions, cells: Cells) {
    const { peer, conditions, signal, logger, quarantine = 30_000 } = options;
    this.#options = options;
    this.#cells = cells;
    this.#retelling = new Retelling({
      cells,
      peer,
      checkNotSuspended: () => this.checkNotSuspended(),
      isAttached: () => this.#holder !== undefined,
      isInUse: (ip) => this.#isInUse(ip),
      held: () => this.#held(),
      settled: () => void this.settleAll(),
      conditions,
      signal,
      logger,
      quarantine,
    });
  }

  static async load(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options, await Cells.load(options));
    options.signal.addEventListener('abort', () => ledger.#saidNoMore(), { once: true });
    return ledger;
  }

  /** As last heard of the shared store. */
  get map(): BlockMap {
    return this.#cells.map;
  }

  get own(): OwnBlocks {
    return this.#cells.own;
  }

  /** Resolves when blocks may change hands. @throws WeaveError STORE_UNAVAILABLE */
  ready(): Promise<void> {
    return this.#retelling.ready();
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
  async update(cell: Ip4, change: (slots: Slots) => boolean): Promise<boolean> {
    for (;;) {
      await this.ready();
      const done = await this.#cells.alone(() => this.#attempt(cell, change));
      if (done !== undefined) return done;
    }
  }

  /** @returns undefined: the store has changed meanwhile, or was set back; it is to be tried again */
  async #attempt(cell: Ip4, change: (slots: Slots) => boolean): Promise<boolean | undefined> {
    this.checkNotSuspended();
    const { peer } = this.#options;
    const read = await this.#cells.read(cell);
    const { look, slots } = read;
    if (look.step !== 'told' || !look.era.settled || this.#cells.lost.size > 0) {
      this.#retelling.doubt();
      return undefined;
    }
    if (slots.includes(unreadable)) throw malformed(cellKey(cell));
    this.own.heard(cell, slots);
    // Given up by a write of which nobody knows whether it was done: it is nobody's, in either case.
    const dropped = rewrite(cell, slots, (owner, ip) =>
      owner === peer && this.own.gaveUp(ip) ? undefined : owner,
    );
    const wanted = change(slots);
    if (!wanted && dropped === 0) return false;
    return (await this.#cells.write(cell, read, { value: slots, own: slots })) ? wanted : undefined;
  }

  /** Reads all anew, and sets right what differs. */
  async refresh(): Promise<void> {
    this.#retelling.doubt();
    await this.ready();
    this.map.merge(await this.#cells.readAll());
    this.#heard = true;
    await this.settleAll();
  }

  /** Hears of every change from now on; resolves when all was heard once. */
  async follow(signal: AbortSignal): Promise<void> {
    const watcher = {
      reset: (entries: Entry[]) => {
        this.#cells.lost.reset(entries);
        this.map.reset(this.#cells.told(entries));
        this.#heard = true;
        this.#retelling.doubt();
        void this.settleAll();
      },
      change: ({ key, value, revision }: { key: string; value: string | null; revision: number }) => {
        const cell = keyCell(key);
        if (cell === undefined) return;
        this.#cells.lost.hear({ key, value, revision });
        if (value !== null) this.#cells.told([{ key, value, revision }]);
        this.map.note(cell, value, revision);
        void this.#settleIfNeeded(cell);
      },
    };
    const eraChanged = () => {
      this.#retelling.doubt();
      void this.settleAll();
    };
    const { shared } = this.#options;
    await Promise.all([
      shared.watch(blockRecord.prefix, watcher, signal),
      shared.watch(eraRecord.prefix, { reset: eraChanged, change: eraChanged }, signal),
    ]);
  }

  /** Sets right whatever differs between this host's belief and what it has heard. */
  async settleAll(): Promise<void> {
    if (!this.#heard) return;
    try {
      await this.ready();
    } catch (error) {
      this.#options.logger.debug({ reason: messageOf(error) }, 'cannot set blocks right yet');
      return;
    }
    const cells = [...this.own.cells, ...this.map.cellsOf(this.#options.peer), ...this.#heldCells()];
    for (const cell of new Set(cells)) await this.#settleIfNeeded(cell);
    if (this.contested().length > 0) this.onContested();
  }

  #heldCells(): Ip4[] {
    return this.#held().map(cellOf);
  }

  /** Addresses of the range that are in use here. */
  #held(): Ip4[] {
    const cidrs = this.#holder?.owners().flatMap((owner) => this.#holder?.owned(owner) ?? []) ?? [];
    return cidrs.map(({ ip }) => ip).filter((ip) => this.#options.range.contains(ip));
  }

  /** Addresses in use here that another owns, as last heard: the other may not know. */
  contested(): { ip: Ip4; owner: string }[] {
    const cells = new Map([...new Set(this.#held().map(cellOf))].map((cell) => [cell, this.map.slots(cell)]));
    return this.#held().flatMap((ip) => {
      const owner = cells.get(cellOf(ip))?.[ip - cellOf(ip)];
      return owner === undefined || owner === this.#options.peer || owner === unreadable
        ? []
        : [{ ip, owner }];
    });
  }

  /** This host is in no cluster any more, or ends. */
  #saidNoMore(): void {
    const { conditions } = this.#options;
    conditions.update('STORE_SET_BACK', undefined);
    for (const ip of this.#disputed) conditions.update('ADDRESS_TWICE', undefined, formatIp(ip));
    this.#disputed.clear();
  }

  /** Says which of the addresses in use here another does not give up. */
  sayContested(): void {
    const { conditions } = this.#options;
    const now = new Map(this.contested().map(({ ip, owner }) => [ip, owner]));
    for (const ip of this.#disputed) {
      if (now.has(ip)) continue;
      this.#disputed.delete(ip);
      conditions.update('ADDRESS_TWICE', undefined, formatIp(ip));
    }
    for (const [ip, owner] of now) {
      this.#disputed.add(ip);
      const text = `address ${formatIp(ip)}, in use on this host, belongs to host ${owner}, which may have given it to a container too; remove one of the two`;
      conditions.update('ADDRESS_TWICE', text, formatIp(ip));
    }
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
      return taken > 0 || differs;
    });
  }

  async #settleIfNeeded(cell: Ip4): Promise<void> {
    const { peer, logger } = this.#options;
    const slots = this.map.slots(cell);
    if (slots.includes(unreadable)) return;
    const right = slots.every((owner, i) => {
      const ip = cell + i;
      return (
        (owner === peer) === this.own.has(ip) &&
        !this.own.gaveUp(ip) &&
        (owner !== undefined || !this.#needs(ip))
      );
    });
    if (right) return;
    // The store may have gone again; everything is looked at anew when it is back.
    await this.settle(cell).catch((error: unknown) =>
      logger.debug({ block: formatIp(cell), reason: messageOf(error) }, 'cannot correct a block yet'),
    );
  }

  /** True for what we own, or hold from before there was a cluster. */
  #needs(ip: Ip4): boolean {
    return this.own.has(ip) || this.#isInUse(ip);
  }

  #isInUse(ip: Ip4): boolean {
    return this.#options.range.contains(ip) && (this.#holder?.isHeld(ip) ?? false);
  }
}

function malformed(key: string): WeaveError {
  return new WeaveError(
    'STORE_UNAVAILABLE',
    `the store's record ${key} is malformed, so the owners of these addresses are unknown; delete it with 'etcdctl del /weavets/${key}', and every host takes back what it has in use`,
  );
}
