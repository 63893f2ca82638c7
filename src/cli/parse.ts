import yargs, { type Argv } from 'yargs';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Command } from './command.ts';
import { didYouMean } from './suggest.ts';

export function parser(): Argv {
  return yargs().scriptName('weavets').locale('en').version(false).exitProcess(false).parserConfiguration({
    // Flags of our own begin with --no-; and the words are names and ids, never numbers.
    'boolean-negation': false,
    'camel-case-expansion': false,
    'dot-notation': false,
    'parse-numbers': false,
    'parse-positional-numbers': false,
    'greedy-arrays': false,
  });
}

/** Names of an option, its aliases too, as they are typed: `-f`, `--format`. */
export function spellings(name: string, { alias = [] }: { alias?: string | readonly string[] }): string[] {
  return [name, ...[alias].flat()].map((word) => `${word.length === 1 ? '-' : '--'}${word}`);
}

/** A command's options and words, checked against what it takes. @throws WeaveError USAGE */
export async function parseArgs(command: Command, argv: string[]): Promise<Parameters<Command['run']>[0]> {
  const options = command.options ?? {};
  const known = Object.entries(options).flatMap(([name, option]) => spellings(name, option));
  const parsed = await new Promise<Record<string, unknown> & { _: (string | number)[] }>(
    (resolve, reject) => {
      // With a callback yargs neither prints nor exits.
      parser()
        .options(options)
        .help(false)
        .parse(argv, {}, (error, args) => {
          if (error) reject(new WeaveError('USAGE', messageOf(error), { cause: error }));
          else resolve(args as never);
        });
    },
  );
  for (const name of Object.keys(parsed)) {
    const [flag = ''] = spellings(name, {});
    if (name === '_' || name === '$0' || known.includes(flag)) continue;
    throw new WeaveError('USAGE', `unknown flag '${flag}'${didYouMean(flag, known)}`);
  }
  return { ...parsed, words: parsed._.map(String) };
}
