import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';

/** What {@link Rounds} needs. */
export interface RoundsDeps {
  checkup: { complete(): Promise<void> };
  logger: Logger;
  /** ms from the end of one round to the beginning of the next; default a minute */
  pause?: number;
}

const defaultPause = 60_000;

/** The doctor's rounds while somebody looks at the page: one a minute, however many look, and however often they come. */
export class Rounds {
  readonly #deps: RoundsDeps;
  /** from when on there may be another */
  #next = 0;

  constructor(deps: RoundsDeps) {
    this.#deps = deps;
  }

  /** Begins a round, if it is time. */
  visit(): void {
    if (performance.now() < this.#next) return;
    this.#next = Number.POSITIVE_INFINITY;
    void this.#round();
  }

  async #round(): Promise<void> {
    const { checkup, logger, pause = defaultPause } = this.#deps;
    try {
      await checkup.complete();
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'cannot check this host');
    }
    this.#next = performance.now() + pause;
  }
}
