/** How much is tried, and where chance begins: the same seed tries the same. */
export interface FuzzOptions {
  seed: number;
  count: number;
}

/** The parameters of fast-check for it. */
export function runs({ seed, count }: FuzzOptions) {
  return { seed, numRuns: count };
}
