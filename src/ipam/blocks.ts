import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type Cidr, formatIp, type Ip4 } from '../model/address.ts';
import { chunkOf, giveable } from './block-map.ts';
import { cellOf, gridSize, type Part, rewrite } from './grid.ts';
import { type Holder, Ledger, type LedgerOptions } from './ledger.ts';
import type { Range, Space } from './space.ts';
import { Wants } from './wants.ts';

/** What it takes to start {@link Blocks}. */
export interface BlocksOptions extends LedgerOptions {
  /** ms to wait for another host's answer; 2,000 if absent */
  askTimeout?: number;
  /** ms to wait for the shared store at first; 3,000 if absent */
  startTimeout?: number;
  /** ms after which an empty block is given back, at most twice that; 30,000 if absent */
  maintainInterval?: number;
}

/** Owners that are asked at once. */
const askWidth = 4;

/**
 * The addresses of a cluster, in blocks that hosts own. A host gives addresses of its own blocks without asking,
 * also while the shared store is away; owning is not leased: it outlives the host's absence, until
 * {@link removePeer}. How two hosts never own the same is said at {@link Ledger}.
 *
 * Keys in the shared store: `block/<first of 256 addresses>` says whose they are (grid.ts), changed only from the
 * revision that was read; `want/<owner>/<asker>/<id>` asks for some (wants.ts); `turn/<host>` and `era/now` tell when it
 * was set back (eras.ts). In the local store `block/…` is what this host owns, `stand/<host>` its turn.
 *
 * Errors: WeaveError STORE_UNAVAILABLE when more is needed while the shared store is away; IPAM_CONFLICT.
 */
export class Blocks implements Space {
  readonly #peer: string;
  readonly #range: Cidr;
  readonly #ledger: Ledger;
  readonly #wants: Wants;
  readonly #logger: Logger;
  readonly #growing = new Map<string, Promise<boolean>>();
  readonly #claiming = new Set<Ip4>();
  #emptyBefore = new Set<Ip4>();
  #reclaiming: Promise<void> | undefined;

  private constructor(options: BlocksOptions, ledger: Ledger) {
    const { shared, peer, range, signal, askTimeout = 2_000 } = options;
    this.#peer = peer;
    this.#range = range;
    this.#logger = options.logger;
    this.#ledger = ledger;
    this.#wants = new Wants({ store: shared, peer, timeout: askTimeout, signal });
  }

  /** Resolves once this host has a block, or after `startTimeout` with what it had before. Goes on until its signal. */
  static async start(options: BlocksOptions): Promise<Blocks> {
    const { signal, logger, maintainInterval = 30_000, startTimeout = 3_000 } = options;
    const blocks = new Blocks(options, await Ledger.load(options));
    blocks.#ledger.onContested = () => void blocks.#reclaim();
    const timer = setInterval(() => {
      blocks.#maintain().catch((error: unknown) => {
        logger.debug({ reason: messageOf(error) }, 'cannot give back empty blocks yet');
      });
    }, maintainInterval);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    const begun = blocks.#begin(options).catch((error: unknown) => {
      logger.warn({ reason: messageOf(error) }, 'no addresses from the cluster yet');
    });
    const late = new AbortController();
    await Promise.race([begun, delay(startTimeout, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    return blocks;
  }

  /**
   * Tells who holds addresses; until then nothing is given away. What is held, but nobody's, is taken.
   * @returns when that was tried
   */
  attach(holder: Holder): Promise<void> {
    return this.#ledger.attach(holder);
  }

  ranges(subnet: Cidr): readonly Range[] {
    if (this.#ledger.suspended !== undefined) return [];
    return this.#ledger.own.ranges
      .filter(({ first, last }) => first <= subnet.last && last >= subnet.first)
      .map(({ first, last }) => ({
        first: Math.max(first, subnet.first),
        last: Math.min(last, subnet.last),
      }));
  }

  grow(subnet: Cidr): Promise<boolean> {
    const key = String(subnet);
    const growing = this.#growing.get(key) ?? this.#grow(subnet).finally(() => this.#growing.delete(key));
    this.#growing.set(key, growing);
    return growing;
  }

  async claim(ip: Ip4): Promise<void> {
    const { own } = this.#ledger;
    this.#ledger.checkNotSuspended();
    this.#claiming.add(ip);
    try {
      if (own.has(ip)) return;
      const owner = await this.#takeOne(ip);
      this.#ledger.checkNotSuspended();
      if (own.has(ip)) return;
      await this.#wants.ask(owner, { first: ip, last: ip });
      await this.#ledger.settle(cellOf(ip));
      this.#ledger.checkNotSuspended();
      if (own.has(ip)) return;
      throw new WeaveError(
        'IPAM_CONFLICT',
        `address ${formatIp(ip)} belongs to the host ${owner}, which has not released it; choose another, or free it there`,
      );
    } finally {
      // Whoever claims takes the address in this turn of the event loop; after that it is held, or not wanted.
      setImmediate(() => this.#claiming.delete(ip));
    }
  }

  /** No more is given or taken, for this reason; undefined: it goes on. What was given stays. */
  suspend(reason: string | undefined): void {
    this.#ledger.suspended = reason;
    if (reason === undefined) void this.#ledger.settleAll();
  }

  /** Nothing at once: what stays empty is given back when it is next looked at. */
  released(): void {}

  /** Who owns what, ascending, as last heard of the shared store. */
  owners(): Part[] {
    return this.#ledger.map.parts();
  }

  /**
   * Frees what a host owns that won't come back; if it does live, others are given its addresses.
   * @returns number of addresses
   */
  async removePeer(name: string): Promise<number> {
    if (name === this.#peer) {
      throw new WeaveError('USAGE', 'a host cannot remove itself; run rmpeer on another host');
    }
    await this.#ledger.refresh();
    let freed = 0;
    for (const cell of this.#ledger.map.cellsOf(name)) {
      let count = 0;
      const done = await this.#ledger.update(cell, (slots) => {
        count = rewrite(cell, slots, (owner) => (owner === name ? undefined : owner));
        return count > 0;
      });
      if (done) freed += count;
    }
    return freed;
  }

  async #begin({ signal, logger }: BlocksOptions): Promise<void> {
    this.#wants
      .serve((asker, range) => this.#offer(asker, range), logger)
      .catch((error: unknown) =>
        logger.warn({ reason: messageOf(error) }, 'cannot watch for requests for addresses'),
      );
    await this.#ledger.follow(signal);
    await this.#ledger.settleAll();
    // A host that has a block can start containers when the store goes away.
    if (this.#ledger.own.ranges.length === 0) await this.#takeFree(this.#range);
  }

  async #grow(subnet: Cidr): Promise<boolean> {
    const wanted = giveable(subnet);
    if (wanted.first > wanted.last) return false;
    await this.#ledger.ready();
    if (this.#ledger.heard && (await this.#takeFree(subnet))) return true;
    await this.#ledger.refresh();
    if (this.#longestFree(wanted) || (await this.#takeFree(subnet))) return true;
    const owners = this.#ledger.map.ownersIn(wanted).filter((owner) => owner !== this.#peer);
    const failures: unknown[] = [];
    for (let i = 0; i < owners.length; i += askWidth) {
      const asked = owners.slice(i, i + askWidth).map((owner) => this.#wants.ask(owner, wanted));
      // Where one can't be asked, what another gives is still on its way.
      for (const answer of await Promise.allSettled(asked))
        if (answer.status === 'rejected') failures.push(answer.reason);
      await this.#ledger.refresh();
      // What was under way when they were asked may have freed some.
      if (this.#longestFree(wanted) || (await this.#takeFree(subnet))) return true;
    }
    // It is not known that there is none.
    if (failures.length > 0) throw failures[0];
    return false;
  }

  /** Takes the lowest piece that is nobody's; after lost races one of the lowest few, lest all hosts race on. */
  async #takeFree(subnet: Cidr): Promise<boolean> {
    for (let losses = 0; ; losses++) {
      const choices: Range[] = [];
      for (const piece of this.#ledger.map.freePieces(subnet)) {
        if (choices.push(piece) >= 2 ** Math.min(losses, 6)) break;
      }
      const piece = choices[Math.floor(Math.random() * choices.length)];
      if (!piece) return false;
      if (await this.#take(piece)) return true;
    }
  }

  /** Takes what is nobody's of a range within one cell. */
  #take({ first, last }: Range): Promise<boolean> {
    const cell = cellOf(first);
    const decide = (owner: string | undefined, ip: Ip4) =>
      owner ?? (first <= ip && ip <= last ? this.#peer : undefined);
    return this.#ledger.update(cell, (slots) => rewrite(cell, slots, decide) > 0);
  }

  /** Takes one address if it is nobody's. @returns its owner */
  async #takeOne(ip: Ip4): Promise<string> {
    const cell = cellOf(ip);
    let owner = this.#peer;
    await this.#ledger.update(cell, (slots) => {
      owner = slots[ip - cell] ?? this.#peer;
      slots[ip - cell] = owner;
      return owner === this.#peer;
    });
    return owner;
  }

  /** Gives another host half of the longest free run that it could use; the last address of it whole. */
  async #offer(asker: string, range: Range): Promise<void> {
    // What is heard may be behind what the store says is ours.
    await this.#ledger.refresh();
    for (let run = this.#longestFree(range); run; run = this.#longestFree(range)) {
      const cell = cellOf(run.first);
      const from = run.first + Math.floor((run.last - run.first + 1) / 2);
      const { last } = run;
      const decide = (owner: string | undefined, ip: Ip4) =>
        from <= ip && ip <= last && owner === this.#peer && !this.#isBusy(ip) ? asker : owner;
      if (await this.#ledger.update(cell, (slots) => rewrite(cell, slots, decide) > 0)) return;
      // It was given away while this waited, or was not ours after all.
      await this.#ledger.settle(cell);
    }
  }

  /** Among our own addresses; a run does not reach over the end of a cell. */
  #longestFree(range: Range): Range | undefined {
    let longest: Range | undefined;
    let run: Range | undefined;
    for (const own of this.#ledger.own.ranges) {
      for (let ip = Math.max(own.first, range.first); ip <= Math.min(own.last, range.last); ip++) {
        if (this.#isBusy(ip)) continue;
        if (run?.last === ip - 1 && ip % gridSize !== 0) run.last = ip;
        else run = { first: ip, last: ip };
        if (!longest || run.last - run.first > longest.last - longest.first) longest = run;
      }
    }
    return longest;
  }

  /** Sets right what went wrong unseen, and gives back blocks that were empty the last time too, but for one. */
  async #maintain(): Promise<void> {
    await this.#ledger.settleAll();
    await this.#reclaim();
    const [, ...empty] = this.#pieces()
      .filter(({ first, last }) => this.#isFree(first, last))
      .sort((a, b) => b.last - b.first - (a.last - a.first) || a.first - b.first);
    for (const { first, last } of empty.filter((piece) => this.#emptyBefore.has(piece.first))) {
      const cell = cellOf(first);
      const decide = (owner: string | undefined, ip: Ip4) =>
        first <= ip && ip <= last && owner === this.#peer ? undefined : owner;
      await this.#ledger.update(
        cell,
        (slots) => this.#isFree(first, last) && rewrite(cell, slots, decide) > 0,
      );
    }
    this.#emptyBefore = new Set(empty.map(({ first }) => first));
  }

  /** Asks for the addresses that are in use here and belong to others, which don't know; says which are not given. */
  #reclaim(): Promise<void> {
    this.#reclaiming ??= this.#askForContested()
      .catch((error: unknown) =>
        this.#logger.debug({ reason: messageOf(error) }, 'cannot ask for addresses yet'),
      )
      .finally(() => {
        this.#reclaiming = undefined;
      });
    return this.#reclaiming;
  }

  async #askForContested(): Promise<void> {
    for (const { ip, owner } of this.#ledger.contested()) {
      await this.#wants.ask(owner, { first: ip, last: ip });
      await this.#ledger.settle(cellOf(ip));
    }
    this.#ledger.sayContested();
  }

  /** What we own, cut where blocks of the range begin. */
  #pieces(): Range[] {
    const chunk = chunkOf(this.#range);
    return this.#ledger.own.ranges.flatMap(({ first, last }) => {
      const pieces: Range[] = [];
      for (let at = first; at <= last; at = at - (at % chunk) + chunk) {
        pieces.push({ first: at, last: Math.min(at - (at % chunk) + chunk - 1, last) });
      }
      return pieces;
    });
  }

  #isFree(first: Ip4, last: Ip4): boolean {
    for (let ip = first; ip <= last; ip++) if (this.#isBusy(ip)) return false;
    return true;
  }

  /** True for what must not be given away. */
  #isBusy(ip: Ip4): boolean {
    return this.#ledger.isHeld(ip) || this.#claiming.has(ip);
  }
}
