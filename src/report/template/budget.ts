import { templateError } from './parse.ts';

/** What one rendering may take: enough for any report, and little enough to end soon. */
const limits = { steps: 5_000_000, characters: 64 * 1024 * 1024 };

/** Counts what a rendering has taken. A template is a program, and a few nested ranges would run for days. */
export class Budget {
  #steps = 0;
  #characters = 0;

  /** So many more nodes, or turns of a range. @throws WeaveError USAGE */
  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > limits.steps) throw templateError(`it takes more than ${limits.steps} steps`);
  }

  /** A text was made. @throws WeaveError USAGE */
  text(made: string): string {
    this.#characters += made.length;
    if (this.#characters > limits.characters) {
      throw templateError(`it makes more than ${limits.characters} characters`);
    }
    return made;
  }
}
