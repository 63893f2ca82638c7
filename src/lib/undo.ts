/** What must be done to take something back; may fail, and then the others still run. */
export type Undo = () => Promise<unknown> | unknown;

/** A stack of undos beside the deeds: on failure they run last first; on success they are dropped. */
export class UndoStack {
  readonly #undos: Undo[] = [];

  push(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** Runs all undos, last first. @returns what those that failed threw */
  async rollback(): Promise<unknown[]> {
    const errors: unknown[] = [];
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
