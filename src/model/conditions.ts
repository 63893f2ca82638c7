import type { Logger } from '../lib/log.ts';

/** Something that is wrong now, and what to do about it. */
export interface Condition {
  /** what kind: `FIREWALL_FOREIGN` */
  code: string;
  /** a container or host, for codes that can hold several times; else empty */
  about: string;
  /** a sentence that says what to do next */
  text: string;
  since: Date;
}

/** ms for which users are shown that something was put right */
const healedFor = 3_600_000;

/**
 * What is wrong now. A part of the daemon sets a condition whenever it sees it, and clears it when it has passed;
 * it is logged once, and shown in `status`, `report`, `ps --why` and launch's output.
 */
export class Conditions {
  readonly #logger: Logger;
  readonly #now = new Map<string, Condition>();
  /** what was wrong and has been put right, and when that was last so */
  readonly #healed = new Map<string, { condition: Condition; seen: number }>();
  #told: (condition: Condition, isNow: boolean) => void = () => {};

  constructor({ logger }: { logger: Logger }) {
    this.#logger = logger;
  }

  /** Tells from here on of each that appears or changes its text, and of each that has passed. */
  follow(told: (condition: Condition, isNow: boolean) => void): void {
    this.#told = told;
  }

  /** Sets a condition. A new text replaces the old one; `since` stays. */
  set(code: string, text: string, about = ''): void {
    const before = this.#now.get(key(code, about));
    if (before?.text === text) return;
    const condition = { code, about, text, since: before?.since ?? new Date() };
    this.#now.set(key(code, about), condition);
    this.#healed.delete(key(code, about));
    this.#logger.warn({ condition: code, about: about || undefined }, text);
    this.#told(condition, true);
  }

  /** Clears a condition. */
  clear(code: string, about = ''): void {
    const condition = this.#now.get(key(code, about));
    if (condition === undefined) return;
    this.#now.delete(key(code, about));
    this.#logger.info({ condition: code, about: about || undefined }, `no longer: ${condition.text}`);
    this.#told(condition, false);
  }

  /** Sets the condition if there is a text, else clears it. */
  update(code: string, text: string | undefined, about = ''): void {
    if (text === undefined) this.clear(code, about);
    else this.set(code, text, about);
  }

  /** It was so, and has been put right: logged once, and shown for an hour after the last time. */
  healed(code: string, text: string, about = ''): void {
    this.clear(code, about);
    const before = this.#healed.get(key(code, about))?.condition;
    const condition = { code, about, text, since: before?.since ?? new Date() };
    this.#healed.set(key(code, about), { condition, seen: performance.now() });
    if (before?.text !== text)
      this.#logger.warn({ condition: code, about: about || undefined, healed: true }, text);
  }

  /** The oldest first. */
  list(): Condition[] {
    return oldestFirst([...this.#now.values()]);
  }

  /** What was put right within the last hour, the oldest first. */
  listHealed(): Condition[] {
    const recent = [...this.#healed.values()].filter(({ seen }) => performance.now() - seen < healedFor);
    return oldestFirst(recent.map(({ condition }) => condition));
  }
}

function oldestFirst(conditions: Condition[]): Condition[] {
  return conditions.sort((a, b) => a.since.getTime() - b.since.getTime());
}

const key = (code: string, about: string) => `${code}\n${about}`;
