/** What happens to variables of the user's shell, in order; undefined removes one. */
export type Changes = readonly (readonly [name: string, value: string | undefined])[];

/** The shells that `env` speaks. `bash` is any POSIX shell. */
export const shells = ['bash', 'fish', 'powershell'] as const;
export type Shell = (typeof shells)[number];

/**
 * Statements that make the changes, on lines that bear being joined by blanks:
 * `eval $(…)` without quotes turns every newline into one.
 */
export const statements: Record<Shell, (changes: Changes) => string> = {
  bash(changes) {
    const set = changes.filter(([, value]) => value !== undefined);
    const unset = changes.filter(([, value]) => value === undefined);
    return [
      ...(set.length > 0
        ? [`export ${set.map(([name, value = '']) => `${name}=${quote(value)}`).join(' ')}`]
        : []),
      ...(unset.length > 0 ? [`unset ${unset.map(([name]) => name).join(' ')}`] : []),
    ].join('; ');
  },
  fish(changes) {
    return changes
      .map(([name, value]) =>
        value === undefined
          ? `set -e ${name};`
          : `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}';`,
      )
      .join('\n');
  },
  powershell(changes) {
    return changes
      .map(([name, value]) =>
        value === undefined
          ? `Remove-Item -ErrorAction Ignore Env:${name}`
          : `$Env:${name} = '${value.replaceAll("'", "''")}'`,
      )
      .join('\n');
  },
};

/** Quotes for a POSIX shell, only where it is needed: scripts compare the plain line. */
function quote(value: string): string {
  return /^[\w@%+=:,./-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
