import { randomUUID } from 'node:crypto';
import { WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { aliveRecord } from '../store/records/alive.ts';
import { type Era, eraRecord, type Stand, standRecord, type Turn, turnRecord } from '../store/records/era.ts';
import type { RecordKind } from '../store/records/record-kind.ts';
import { asRead, type Entry, type Store, type Write } from '../store/store.ts';

/** Where {@link Eras} are kept. */
export interface ErasOptions {
  /** the cluster's store */
  shared: Store;
  /** this host's own */
  local: Store;
  /** this host's name */
  peer: string;
  /** tells machines of one name apart */
  machine: string;
  /** what the cluster's store has while the name is this daemon's; absent: nobody else claims it */
  claimed?: { key: string; value: string } | undefined;
  logger: Logger;
}

/** What was read of the store. */
export interface Look {
  era: Era;
  eraEntry: Entry;
  turnEntry: Entry | undefined;
  /** how far this host has come with telling what it has, in this era */
  step: Turn['step'] | undefined;
}

/** Another host, as far as it matters here. */
export interface Other {
  /** in this era; undefined: it has not begun to tell what it has */
  step: Turn['step'] | undefined;
  isAlive: boolean;
  turnEntry: Entry | undefined;
}

/**
 * Notices that the cluster's store was set back to an earlier state, and sees to it that nothing is written as if it
 * had not been. Each write to a block goes with this host's next turn, which the host keeps on disk before and after:
 * a store with an earlier one has lost writes. Whoever notices begins an era, in which blocks change hands only once
 * the hosts that live have told what they have.
 */
export class Eras {
  readonly #options: ErasOptions;
  #stand: Stand;

  private constructor(options: ErasOptions, stand: Stand) {
    this.#options = options;
    this.#stand = stand;
  }

  /** @returns also whether what this host's own store has is another machine's, of which this one is a copy */
  static async load(options: ErasOptions): Promise<{ eras: Eras; copied: boolean }> {
    const { local, peer, machine } = options;
    const kept = parse(standRecord, await local.get(standRecord.keyOf(peer)));
    const copied = kept !== undefined && kept.machine !== machine;
    const none: Stand = { machine, sent: 0, confirmed: 0, era: null, behind: true };
    return { eras: new Eras(options, kept && !copied ? kept : none), copied };
  }

  /** False for a host that was in no era yet: all that it knows it has from the store. */
  get known(): boolean {
    return this.#stand.era !== null;
  }

  /** The store knew more of this host, when the era was entered: then what it says is not from the past. */
  get behind(): boolean {
    return this.#stand.behind;
  }

  /** Reads where the store is, and begins an era if it was set back. @throws WeaveError STORE_UNAVAILABLE */
  async look(): Promise<Look> {
    const { shared, peer, claimed } = this.#options;
    for (;;) {
      // Before it is read: what a write of this host's adds meanwhile is not missing.
      const before = this.#stand;
      const [eraEntry, turnEntry, name] = await Promise.all([
        shared.get(eraRecord.keyOf('now')),
        shared.get(turnRecord.keyOf(peer)),
        claimed && shared.get(claimed.key),
      ]);
      if (name?.value !== claimed?.value) {
        throw new WeaveError('STORE_UNAVAILABLE', 'this host has not got its name in the cluster; try again');
      }
      const era = parse(eraRecord, eraEntry);
      const turn = parse(turnRecord, turnEntry);
      if (era === undefined || eraEntry === undefined || isSetBack(before, era, turn)) {
        await this.#begin(era, eraEntry);
        continue;
      }
      if (era.id === this.#stand.era?.id && turn) this.#noteTurn(turn.turn);
      const isOurs = era.id === this.#stand.era?.id && turn?.era === era.id;
      return { era, eraEntry, turnEntry, step: isOurs ? turn.step : undefined };
    }
  }

  /** True while the store is in the era that this host has entered. */
  isEntered({ era }: Look): boolean {
    return era.id === this.#stand.era?.id;
  }

  /** What was sent has got there; or this host's own disk was set back, and the store knows better. */
  #noteTurn(turn: number): void {
    const { sent, confirmed } = this.#stand;
    if (turn > confirmed) this.#stand = { ...this.#stand, confirmed: turn, sent: Math.max(sent, turn) };
  }

  /** Others' writes were lost: begins an era, unless someone has since this host entered one. */
  async setBack(): Promise<void> {
    for (;;) {
      const look = await this.look();
      if (!this.isEntered(look) || (await this.#begin(look.era, look.eraEntry))) return;
    }
  }

  /** @returns false when the store has changed since it was read */
  async #begin(before: Era | undefined, entry: Entry | undefined): Promise<boolean> {
    const { shared, logger } = this.#options;
    const { era: known } = this.#stand;
    // A cluster's first host has nobody to wait for.
    const isFirst = known === null && entry === undefined;
    const number = Math.max(known?.number ?? 0, before?.number ?? 0) + 1;
    const era = { number, id: randomUUID(), settled: isFirst };
    const begun = await shared.commit([eraRecord.write('now', era, asRead(entry))]);
    if (begun && !isFirst)
      logger.warn({ era: number }, 'the store of the cluster was set back to an earlier state');
    return begun;
  }

  /** This host is about to tell what it has. @returns false when the store has changed since the look */
  async enter(look: Look): Promise<boolean> {
    const { era, turnEntry } = look;
    const turn = parse(turnRecord, turnEntry);
    const { era: known, sent, behind } = this.#stand;
    if (known?.id !== era.id) {
      const there = turn?.turn ?? 0;
      await this.#keep({
        era: { number: era.number, id: era.id },
        confirmed: there,
        behind: behind || there > sent,
      });
    }
    return turn?.era === era.id || this.#tell(look, 'begun');
  }

  /** This host has come so far with telling what it has. @returns false when the store has changed since */
  async say(step: 'dropped' | 'told'): Promise<boolean> {
    const look = await this.look();
    if (!this.isEntered(look)) return false;
    if (look.step !== 'told' && look.step !== step && !(await this.#tell(look, step))) return false;
    if (step === 'told') await this.#keep({ behind: false });
    return true;
  }

  async #tell(look: Look, step: Turn['step']): Promise<boolean> {
    const told = await this.#options.shared.commit(await this.fence(look, step));
    if (told) await this.confirm();
    return told;
  }

  /**
   * What goes with each write to a block: this host's next turn, and that name, era and turn are as they were read.
   * On disk before it is sent.
   */
  async fence({ era, eraEntry, turnEntry, step: before }: Look, step = before ?? 'begun'): Promise<Write[]> {
    const { peer, claimed } = this.#options;
    const turn = Math.max(this.#stand.sent, parse(turnRecord, turnEntry)?.turn ?? 0) + 1;
    await this.#keep({ sent: turn });
    return [
      ...(claimed ? [{ key: claimed.key, was: claimed.value }] : []),
      { key: eraRecord.keyOf('now'), ...asRead(eraEntry) },
      turnRecord.write(peer, { turn, era: era.id, step }, asRead(turnEntry)),
    ];
  }

  /** What was sent last is in the store. */
  async confirm(): Promise<void> {
    await this.#keep({ confirmed: this.#stand.sent });
  }

  /** All hosts that live or have written to blocks, by name. */
  async others(era: Era): Promise<Map<string, Other>> {
    const { shared } = this.#options;
    const [turns, alive] = await Promise.all([
      shared.list(turnRecord.prefix),
      shared.list(aliveRecord.prefix),
    ]);
    const others = new Map<string, Other>();
    for (const { key } of alive) {
      const name = aliveRecord.parseKey(key);
      if (name !== undefined) others.set(name, { step: undefined, isAlive: true, turnEntry: undefined });
    }
    for (const turnEntry of turns) {
      const name = turnRecord.parseKey(turnEntry.key);
      const turn = parse(turnRecord, turnEntry);
      if (name === undefined) continue;
      const isAlive = others.has(name);
      others.set(name, { step: turn?.era === era.id ? turn.step : undefined, isAlive, turnEntry });
    }
    return others;
  }

  /** Ends the wait if all hosts that live have told what they have. @returns names of those that have not */
  async settle({ era, eraEntry }: Look): Promise<string[]> {
    const others = await this.others(era);
    // A host without a turn gives no addresses.
    const waiting = [...others].filter(
      ([, { isAlive, turnEntry, step }]) => isAlive && turnEntry && step !== 'told',
    );
    if (waiting.length === 0) {
      const settled = eraRecord.amend(eraEntry, { ...era, settled: true });
      await this.#options.shared.commit([settled]);
    }
    return waiting.map(([name]) => name);
  }

  async #keep(changes: Partial<Stand>): Promise<void> {
    const { local, peer } = this.#options;
    this.#stand = { ...this.#stand, ...changes };
    await local.commit([standRecord.write(peer, this.#stand)]);
  }
}

/** This host gives no addresses any more: nobody waits for what it has. */
export async function withdrawTurn(shared: Store, peer: string): Promise<void> {
  await shared.commit([turnRecord.write(peer, null)]).catch(() => {});
}

function isSetBack({ era: known, confirmed }: Stand, era: Era, turn: Turn | undefined): boolean {
  if (known === null) return false;
  if (era.id !== known.id) return era.number <= known.number;
  return (turn?.turn ?? 0) < confirmed;
}

function parse<Key, Value>(kind: RecordKind<Key, Value>, entry: Entry | undefined): Value | undefined {
  const parsed = entry && kind.parse(entry);
  return typeof parsed === 'object' ? parsed.value : undefined;
}
