import { setImmediate as immediate } from 'node:timers/promises';
import type { ContainerInfo } from '../docker/types.ts';

/** ms that an answer is kept: `docker run` starts a container within a few of creating it. */
const keepFor = 250;

/**
 * What the engine says of containers that were just created, asked before their start comes, which then does not wait
 * for it.
 */
export class Upcoming {
  readonly #inspect: (id: string) => Promise<ContainerInfo | undefined>;
  readonly #answers = new Map<string, Promise<ContainerInfo | undefined>>();

  constructor(inspect: (id: string) => Promise<ContainerInfo | undefined>) {
    this.#inspect = inspect;
  }

  /** A container was created, and is likely to be started. */
  expect(id: string): void {
    // The client gets its answer first. A failure is met by the start, which asks again.
    const answer = immediate()
      .then(() => this.#inspect(id))
      .catch(() => undefined);
    this.#answers.set(id, answer);
    const expire = () => this.#answers.get(id) === answer && this.forget(id);
    setTimeout(expire, keepFor).unref();
  }

  /** @returns undefined: ask the engine */
  async take(id: string): Promise<ContainerInfo | undefined> {
    const answer = this.#answers.get(id);
    this.forget(id);
    return answer;
  }

  /** The container is no longer as it was created. */
  forget(id: string): void {
    this.#answers.delete(id);
  }
}
