/** How many inputs, and the seed: the same seed gives the same inputs. */
export interface FuzzOptions {
  seed: number;
  count: number;
}

/** The parameters of fast-check for it. */
export function runs({ seed, count }: FuzzOptions) {
  return { seed, numRuns: count };
}
