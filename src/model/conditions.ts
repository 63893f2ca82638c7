import type { Logger } from '../lib/log.ts';

/** Something that is wrong now, and what to do about it. */
export interface Condition {
  /** what kind: `FIREWALL_FOREIGN` */
  code: string;
  /** what it is about where the kind can be there several times, a container or a host; else empty */
  about: string;
  /** a sentence that says what to do next */
  text: string;
  since: Date;
}

/**
 * What is wrong now. A part of the daemon sets a condition as often as it sees it and clears it when it has passed;
 * the log is told once of each, and users find all of them in `status`, `report`, `ps --why` and launch's output.
 */
export class Conditions {
  readonly #logger: Logger;
  readonly #now = new Map<string, Condition>();

  constructor({ logger }: { logger: Logger }) {
    this.#logger = logger;
  }

  /** It is so now. A new text takes the place of the old one; `since` stays. */
  set(code: string, text: string, about = ''): void {
    const before = this.#now.get(key(code, about));
    if (before?.text === text) return;
    this.#now.set(key(code, about), { code, about, text, since: before?.since ?? new Date() });
    this.#logger.warn({ condition: code, about: about || undefined }, text);
  }

  /** It is so no more. */
  clear(code: string, about = ''): void {
    const condition = this.#now.get(key(code, about));
    if (condition === undefined) return;
    this.#now.delete(key(code, about));
    this.#logger.info({ condition: code, about: about || undefined }, `no longer: ${condition.text}`);
  }

  /** Sets or clears, as there is a text or none. */
  update(code: string, text: string | undefined, about = ''): void {
    if (text === undefined) this.clear(code, about);
    else this.set(code, text, about);
  }

  /** The oldest first. */
  list(): Condition[] {
    return [...this.#now.values()].sort((a, b) => a.since.getTime() - b.since.getTime());
  }
}

const key = (code: string, about: string) => `${code}\n${about}`;
