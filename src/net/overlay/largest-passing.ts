/** What {@link largestPassing} searches. */
export interface SizeSearchOptions {
  /** bytes, both included */
  low: number;
  high: number;
  /** tried first, with its next: what passed before, or passes elsewhere */
  guess?: number | undefined;
  passes: (size: number) => Promise<boolean>;
}

/** The largest size that passes, by bisection; undefined: not even the lowest does. */
export async function largestPassing(options: SizeSearchOptions): Promise<number | undefined> {
  const { guess, passes } = options;
  let { low, high } = options;
  let passed: number | undefined;
  if (guess !== undefined && guess >= low && guess <= high) {
    if (await passes(guess)) {
      if (guess === high || !(await passes(guess + 1))) return guess;
      passed = guess + 1;
      low = guess + 1;
    } else if (guess === low) return undefined;
    else high = guess - 1;
  }
  if (passed === undefined && !(await passes(low))) return undefined;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (await passes(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
