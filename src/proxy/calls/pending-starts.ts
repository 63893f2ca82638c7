/** A start that has not ended. */
interface Pending {
  ended: Promise<unknown>;
  /** pid of the run that it ends first, as a restart does; 0 if there is none */
  previous: number;
}

/** Starts that have not ended: whoever asks about such a container waits for them. */
export class PendingStarts {
  readonly #pending = new Map<string, Set<Pending>>();

  /** @param id of the container, 64 hex digits @param previous pid of a run that is to end first, else 0 */
  async track<T>(id: string, previous: number, start: () => Promise<T>): Promise<T> {
    const all = this.#pending.get(id) ?? new Set();
    const ended = start();
    const pending = { ended, previous };
    this.#pending.set(id, all.add(pending));
    try {
      return await ended;
    } finally {
      all.delete(pending);
      if (all.size === 0) this.#pending.delete(id);
    }
  }

  /**
   * Resolves when this container's starts have ended. @returns undefined if there are none, or this is still the run
   * before: a stop may take as long as the container likes
   * @param pid of the container as it runs now, else 0
   */
  settled(id: string, pid: number): Promise<unknown> | undefined {
    const pending = [...(this.#pending.get(id) ?? [])].filter(
      ({ previous }) => pid === 0 || previous !== pid,
    );
    return pending.length > 0 ? Promise.allSettled(pending.map(({ ended }) => ended)) : undefined;
  }
}
