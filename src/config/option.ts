/** What stands behind an option: nothing, a text, a number, a file's path, or several texts. */
export type OptionKind = 'flag' | 'text' | 'number' | 'file' | 'list';

/** An option of a command: what its help, its completions and the manual page are made from. */
export interface Option {
  kind: OptionKind;
  /** One line for the help. */
  about: string;
  /** The value that holds where none is given. */
  default?: string;
  /** What holds where none is given, in words. */
  without?: string;
  /** The variable that stands in for it. */
  env?: string;
  /** Another spelling. */
  alias?: string;
}

/** What a command gets of an option; undefined if it was not given. */
export type Given<O extends Option> = O['kind'] extends 'flag'
  ? boolean | undefined
  : O['kind'] extends 'list'
    ? string[] | undefined
    : string | undefined;

/** The options by name, and the words that are no options. */
export type Args<O extends Record<string, Option>> = { [K in keyof O]: Given<O[K]> } & { words: string[] };

/** An option with one value. */
export function text(about: string, without?: string) {
  return { kind: 'text', about, without } as const;
}

/** An option that may be given several times. */
export function list(about: string, without?: string) {
  return { kind: 'list', about, without } as const;
}

/** A switch: `--flag`, `--flag=false`. */
export function flag(about: string) {
  return { kind: 'flag', about } as const;
}
