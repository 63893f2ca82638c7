/** Starts that have not ended: whoever asks about such a container waits for them. */
export class PendingStarts {
  readonly #pending = new Map<string, Set<Promise<unknown>>>();

  /** @param id of the container, 64 hex digits */
  async track<T>(id: string, start: () => Promise<T>): Promise<T> {
    const pending = this.#pending.get(id) ?? new Set();
    const running = start();
    this.#pending.set(id, pending.add(running));
    try {
      return await running;
    } finally {
      pending.delete(running);
      if (pending.size === 0) this.#pending.delete(id);
    }
  }

  /** Resolves when this container's starts have ended. @returns undefined if there are none */
  settled(id: string): Promise<unknown> | undefined {
    const pending = this.#pending.get(id);
    return pending && Promise.allSettled(pending);
  }
}
