/** How a check can end: `skipped` says nothing about health. */
export const verdictStates = ['ok', 'healed', 'failed', 'skipped'] as const;

/** What a check has found. */
export interface Finding {
  state: (typeof verdictStates)[number];
  /** what was looked at and is so; of what failed, with what to do */
  text: string;
}

/** A check's finding, as it is shown. */
export interface Verdict extends Finding {
  check: string;
  /** of a failure: that of a condition or an error */
  code: string | null;
}
