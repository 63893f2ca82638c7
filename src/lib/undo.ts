/** Undoes something; if it fails, the others still run. */
export type Undo = () => Promise<unknown> | unknown;

/** A stack of undos: on failure they run last first, on success they are dropped. */
export class UndoStack {
  readonly #undos: Undo[] = [];

  push(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** Runs all undos, last first. @returns the errors */
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
