import type { Beat } from '../../model/path-health.ts';

/** Outcomes of the same kind in a row that change the state. */
const needed = 3;
/** Outcomes that the loss is taken from. */
const remembered = 20;

/** Makes a state of single outcomes, that does not flap with each of them. */
export class BeatMeter {
  /** true: answered; the last ones */
  #outcomes: boolean[] = [];
  #beat: Beat;

  /** @param now ms since the epoch, as everywhere here */
  constructor(now: number) {
    this.#beat = { state: 'unknown', since: now, loss: 0 };
  }

  get beat(): Beat {
    return this.#beat;
  }

  /** True when the latest outcomes are all of the kind that the state says; else it is worth asking again soon. */
  get settled(): boolean {
    const { state } = this.#beat;
    return state !== 'unknown' && this.#row(state === 'ok') >= Math.min(needed, this.#outcomes.length);
  }

  answered(now: number, roundTripMs: number): void {
    this.#add(true);
    const { state, since } = this.#beat;
    // The first answer is proof enough where nothing was known.
    const ok = state !== 'failing' || this.#row(true) >= needed;
    const next = ok ? 'ok' : state;
    this.#beat = { state: next, since: next === state ? since : now, roundTripMs, loss: this.#loss };
  }

  lost(now: number): void {
    this.#add(false);
    const before = this.#beat;
    const turns = before.state !== 'failing' && this.#row(false) >= needed;
    this.#beat = { ...before, loss: this.#loss };
    if (turns) this.#beat = { ...this.#beat, state: 'failing', since: now };
  }

  #add(answered: boolean): void {
    this.#outcomes = [...this.#outcomes.slice(1 - remembered), answered];
  }

  /** How many of the latest were so. */
  #row(answered: boolean): number {
    const last = this.#outcomes.lastIndexOf(!answered);
    return this.#outcomes.length - 1 - last;
  }

  get #loss(): number {
    return this.#outcomes.filter((answered) => !answered).length / this.#outcomes.length;
  }
}
