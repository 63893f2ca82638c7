import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Ip4 } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import type { Cells } from './cells.ts';
import type { Look } from './eras.ts';
import { cellOf, unreadable } from './grid.ts';
import { Telling } from './telling.ts';

/** What {@link Retelling} needs. */
export interface RetellingDeps {
  cells: Cells;
  /** this host */
  peer: string;
  /** @throws WeaveError when this host may not write now */
  checkNotSuspended: () => void;
  /** it is known which addresses are in use here */
  isAttached: () => boolean;
  isInUse: (ip: Ip4) => boolean;
  /** addresses in use here */
  held: () => Ip4[];
  /** told when blocks may change hands again */
  settled: () => void;
  conditions: Pick<Conditions, 'update'>;
  signal: AbortSignal;
  logger: Logger;
  /** ms that the hosts have to tell what they have */
  quarantine: number;
}

const setBackText =
  "etcd was set back to an earlier state; until all hosts have told what they have, addresses come only from this host's own blocks; try again in a minute";

/** What this host does when the shared store was set back, before blocks change hands again: it tells what it has. */
export class Retelling {
  readonly #deps: RetellingDeps;
  readonly #cells: Cells;
  #ready = false;
  /** grows with each doubt: what was looked up before the last one says nothing */
  #doubts = 0;
  #answering: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(deps: RetellingDeps) {
    this.#deps = deps;
    this.#cells = deps.cells;
  }

  /** It is to be looked at anew whether the store was set back. */
  doubt(): void {
    this.#ready = false;
    this.#doubts++;
  }

  /**
   * Resolves when blocks may change hands. If the store was set back, this host first tells what it has.
   * @throws WeaveError STORE_UNAVAILABLE while others have yet to do so
   */
  async ready(): Promise<void> {
    this.#deps.checkNotSuspended();
    if (this.#ready) return;
    this.#answering ??= this.#answer().finally(() => {
      this.#answering = undefined;
    });
    await this.#answering;
  }

  async #answer(): Promise<void> {
    const { conditions } = this.#deps;
    for (;;) {
      const doubts = this.#doubts;
      await this.#beginIfLost();
      const look = await this.#cells.eras.look();
      const isTold = look.step === 'told' && this.#cells.lost.size === 0;
      if (isTold && look.era.settled) {
        if (doubts !== this.#doubts) continue;
        conditions.update('STORE_SET_BACK', undefined);
        this.#ready = true;
        return;
      }
      if (isTold || !(await this.#tellAll(look))) {
        if (this.#cells.eras.known) conditions.update('STORE_SET_BACK', setBackText);
        this.#waiting ??= this.#waitForOthers().finally(() => {
          this.#waiting = undefined;
        });
        throw new WeaveError('STORE_UNAVAILABLE', setBackText);
      }
    }
  }

  /**
   * What was lost is told in an era that began after: in the one before, hosts that are away now have told what they
   * had, and nobody would speak for them.
   */
  async #beginIfLost(): Promise<void> {
    const { eras, lost } = this.#cells;
    if (!lost.isNew) return;
    lost.isNew = false;
    try {
      await eras.setBack();
    } catch (error) {
      lost.isNew = true;
      throw error;
    }
  }

  /** @returns false when it is to be tried again in a while: a host that lives claims what is this one's */
  async #tellAll(look: Look): Promise<boolean> {
    if (this.#cells.eras.known && !this.#deps.isAttached()) {
      throw new WeaveError('STORE_UNAVAILABLE', 'what this host has given is not known yet');
    }
    if (!(await this.#cells.alone(() => this.#cells.eras.enter(look)))) return true;
    let claimed = false;
    for (const cell of await this.#cellsToTell()) {
      const told = await this.#cells.alone(() => this.#tell(cell));
      if (told === 'era') return true;
      if (told === 'claimed') claimed = true;
    }
    if (!(await this.#cells.alone(() => this.#cells.eras.say(claimed ? 'dropped' : 'told')))) return true;
    if (this.#cells.lost.isNew) return true;
    if (!claimed) this.#cells.lost.clear();
    return !claimed;
  }

  /** Cells of which this host owned, owns, or knows something that the store has lost. */
  async #cellsToTell(): Promise<Set<Ip4>> {
    const heard = this.#cells.lost.allHeard();
    const entries = await this.#cells.readAll();
    this.#cells.lost.compareAll(heard, entries);
    this.#cells.map.merge(entries);
    return new Set([
      ...this.#cells.own.cells,
      ...this.#cells.lost.cells,
      ...this.#cells.map.cellsOf(this.#deps.peer),
      ...this.#deps.held().map(cellOf),
    ]);
  }

  /**
   * Writes what this host has of a cell over what the store says, and what it had heard of hosts that are away.
   * @returns `era` when another has begun; `claimed` when a host that lives has yet to say whether a part is its
   */
  async #tell(cell: Ip4): Promise<'told' | 'claimed' | 'era'> {
    const { peer } = this.#deps;
    for (;;) {
      this.#deps.checkNotSuspended();
      const read = await this.#cells.read(cell);
      const { look, slots } = read;
      if (this.#cells.lost.isNew || !this.#cells.eras.isEntered(look)) return 'era';
      if (slots.includes(unreadable)) return 'told';
      const others = await this.#cells.eras.others(look.era);
      const telling = new Telling({
        peer,
        others,
        behind: this.#cells.eras.behind,
        ownerBefore: (ip) => this.#cells.lost.ownerOf(ip),
        isOwn: (ip) => this.#cells.own.has(ip),
        isInUse: (ip) => this.#deps.isInUse(ip),
      });
      const { value, own, guards, isClaimed } = telling.of(cell, slots);
      const isRight =
        value.every((owner, i) => owner === slots[i]) &&
        own.every((owner, i) => (owner === peer) === this.#cells.own.has(cell + i));
      if (isRight || (await this.#cells.write(cell, read, { value, own, guards }))) {
        return isClaimed ? 'claimed' : 'told';
      }
    }
  }

  /** Goes on until blocks may change hands. */
  async #waitForOthers(): Promise<void> {
    const { signal, logger, quarantine, settled } = this.#deps;
    let era = '';
    let since = 0;
    while (!signal.aborted) {
      await delay(Math.min(quarantine / 5, 1_000), undefined, { signal }).catch(() => {});
      try {
        const look = await this.#cells.eras.look();
        if (look.era.settled && look.step === 'told') break;
        if (look.step !== 'told' || this.#cells.lost.size > 0) await this.ready().catch(() => {});
        if (era !== look.era.id) since = performance.now();
        era = look.era.id;
        if (performance.now() - since < quarantine) continue;
        const waiting = await this.#cells.eras.settle(look);
        if (waiting.length > 0) logger.debug({ waiting }, 'waiting for hosts to tell what they have');
      } catch (error) {
        logger.debug(
          { reason: messageOf(error) },
          'cannot see yet whether all hosts have told what they have',
        );
      }
    }
    if (!signal.aborted) setImmediate(settled);
  }
}
