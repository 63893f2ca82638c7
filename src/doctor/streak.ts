/** Looks in a row that find something changed, after which somebody does it on purpose. */
const purpose = 3;

/** Tells what was changed once from what another program changes again and again. */
export class Streak {
  #length = 0;

  /** @returns true while it is changed again and again */
  next(changed: boolean): boolean {
    this.#length = changed ? this.#length + 1 : 0;
    return this.#length >= purpose;
  }
}
