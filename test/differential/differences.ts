/** The intended differences: the calls they appear in, and what makes both sides equal again. */
export const differences: readonly { calls: RegExp; reason: string; equal: (output: string) => string }[] = [
  {
    calls: /docker export @d/,
    reason: 'The container has the folder /w, where the shim is bound.',
    equal: (output) => output.replace(/^\d+$/m, 'N'),
  },
  {
    calls: /docker diff @d/,
    reason: 'The container has the folder /w, where the shim is bound.',
    equal: (output) => output.replace(/^A \/w\n/m, ''),
  },
];
