/** The differences that are meant: which calls they are seen in, and what makes the two sides equal again. */
export const differences: readonly { calls: RegExp; reason: string; equal: (output: string) => string }[] = [
  {
    calls: /run --rm --name @(r8|r9) /,
    reason:
      'The command is found by the shim and not by the engine: the message on stderr is the shim’s, the exit code the same.',
    equal: (output) => output.replace(/^(exit \d+)[\s\S]*$/, '$1'),
  },
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
  {
    calls: /exec @d no-such-command/,
    reason:
      'The command is looked for by the shim: exit code 127, as shells have it, where older engines say 126.',
    equal: (output) => output.replace(/^exit 12[67]\n[\s\S]*$/, 'not found'),
  },
  {
    calls: /^docker attach|^timeout -s KILL 1 docker (logs|attach)/,
    reason: 'Cut off at a moment that is never twice the same.',
    equal: (output) => output.replace(/(started\n)+/, 'started\n'),
  },
];
