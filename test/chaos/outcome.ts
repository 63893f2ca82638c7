/** A fault that was made, and what came of it. */
export interface Outcome {
  step: number;
  fault: string;
  machine: string;
  /** s from the fault to its healing, and from there until everything was right */
  lasted: number;
  right: number;
  /** how many times slower than an idle machine this one was meanwhile */
  slow: number;
  /** what was asked of the proxies meanwhile, and what of that failed */
  asked: number;
  failed: number;
  /** none: all is well */
  violations: string[];
  /** true when it never became right: nothing after it says anything */
  broken: boolean;
}

export const seconds = (value: number) => `${value.toFixed(1)} s`.padStart(7);

/** What came of a fault, and below that what is wrong, with the flags that make it again. */
export function linesOf(seed: string, outcome: Outcome): string[] {
  const { step, fault, machine, lasted, right, slow, asked, failed, violations, broken } = outcome;
  const first = [
    String(step).padStart(5),
    fault.padEnd(19),
    machine,
    `for ${seconds(lasted)}`,
    `right after ${seconds(right)}`,
    `${slow.toFixed(1)} times slower`,
    `${failed} of ${asked} calls failed`,
  ];
  const again = `--seed ${seed} --step ${step}`;
  return [
    first.join('  '),
    ...violations.map((text) => `       VIOLATION (${again}): ${fault} on ${machine}: ${text}`),
    ...(broken ? ['       it does not become right: the end'] : []),
  ];
}
