import fc from 'fast-check';
import { histories, play } from './model.ts';

/** Plays histories; `played` is told what each had in it. @throws with the one that fails */
export async function checkHistories(
  { runs, seed }: { runs: number; seed: number },
  played: (actions: Set<string>) => void = () => {},
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => played(await play(history))),
    // Timers take part, so a shorter failing history can hardly be found.
    { numRuns: runs, seed, endOnFailure: true, includeErrorInReport: true },
  );
}
