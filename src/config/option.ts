import type { InferredOptionTypes, Options } from 'yargs';

/** The options by name, and the words that are no options. */
export type Args<O extends Record<string, Options>> = InferredOptionTypes<O> & { words: string[] };

/** Given twice, the last one counts, as with docker's own flags. */
function last<T>(value: T | T[]): T | undefined {
  return Array.isArray(value) ? value.at(-1) : value;
}

/** An option with one value. */
export function text(describe: string, defaultDescription?: string) {
  return { type: 'string', requiresArg: true, coerce: last<string>, describe, defaultDescription } as const;
}

/** An option that may be given several times. */
export function list(describe: string, defaultDescription?: string) {
  return { type: 'string', array: true, requiresArg: true, describe, defaultDescription } as const;
}

/** A switch: `--flag`, `--flag=false`. */
export function flag(describe: string) {
  return { type: 'boolean', coerce: last<boolean>, describe } as const;
}

/** True for an option that takes no value. */
export function isSwitch({ type }: Options): boolean {
  return type === 'boolean';
}
