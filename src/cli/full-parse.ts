import yargs, { type Argv, type Options } from 'yargs';
import type { Option } from '../config/option.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Command } from './command.ts';
import { described, spellings } from './spellings.ts';
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

/** A command's options as yargs has them. */
export function yargsOptions(options: Readonly<Record<string, Option>> = {}): Record<string, Options> {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [
      name,
      {
        type: option.kind === 'flag' ? 'boolean' : 'string',
        array: option.kind === 'list',
        requiresArg: option.kind !== 'flag',
        // Given twice, the last one counts, as with docker's own flags.
        coerce: option.kind === 'list' ? undefined : last,
        describe: described(option),
        defaultDescription: option.kind === 'flag' ? undefined : (option.default ?? option.without),
        alias: option.alias,
      },
    ]),
  );
}

function last(value: unknown): unknown {
  return Array.isArray(value) ? value.at(-1) : value;
}

/** Any command line, by yargs. @throws WeaveError USAGE */
export async function fullParse(command: Command, argv: string[]): Promise<Parameters<Command['run']>[0]> {
  const options = command.options ?? {};
  const known = Object.entries(options).flatMap(([name, option]) => spellings(name, option));
  const parsed = await new Promise<Record<string, unknown> & { _: (string | number)[] }>(
    (resolve, reject) => {
      // With a callback yargs neither prints nor exits.
      parser()
        .options(yargsOptions(options))
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
  return { ...parsed, words: parsed._.map(String) } as never;
}
