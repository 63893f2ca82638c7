import type { Option } from '../config/option.ts';

/** Names of an option, its alias too, as they are typed: `-f`, `--format`. */
export function spellings(name: string, { alias }: Pick<Option, 'alias'>): string[] {
  const words = alias === undefined ? [name] : [name, alias];
  return words.map((word) => `${word.length === 1 ? '-' : '--'}${word}`);
}

/** An option's line of help, with its variable. */
export function described({ about, env }: Option): string {
  return env === undefined ? about : `${about} (or ${env})`;
}
