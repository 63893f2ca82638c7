import type { Option } from '../config/option.ts';
import type { Command } from './command.ts';
import { spellings } from './spellings.ts';

type Parsed = Record<string, boolean | string | string[]> & { words: string[] };

/** A command's options and words, checked against what it takes. @throws WeaveError USAGE */
export async function parseArgs(command: Command, argv: string[]): Promise<Parameters<Command['run']>[0]> {
  if (command.anyArguments) return { words: argv } as never;
  const plain = parsePlain(command.options ?? {}, argv);
  if (plain !== undefined) return plain as never;
  // Loading yargs takes as long as everything else a command does.
  const { fullParse } = await import('./full-parse.ts');
  return fullParse(command, argv);
}

/**
 * What most command lines are: known flags with their values, and words. @returns undefined for any other, which yargs
 * reads, or has a message for
 */
export function parsePlain(
  options: Readonly<Record<string, Option>>,
  argv: readonly string[],
): Parsed | undefined {
  const named = new Map(
    Object.entries(options).flatMap(([name, option]) =>
      spellings(name, option).map((spelling) => [spelling, { name, option }] as const),
    ),
  );
  const parsed: Parsed = { words: [] };
  const rest = [...argv];
  for (let token = rest.shift(); token !== undefined; token = rest.shift()) {
    if (!token.startsWith('-')) {
      if (token === '') return undefined;
      parsed.words.push(token);
      continue;
    }
    const [, spelling = '', joined] = /^(--?[a-zA-Z][a-z-]*)(?:=(.*))?$/.exec(token) ?? [];
    const found = named.get(spelling);
    if (found === undefined) return undefined;
    const { name, option } = found;
    const value = option.kind === 'flag' ? switchValue(joined, rest) : textValue(joined ?? rest.shift());
    if (value === undefined) return undefined;
    const before = parsed[name];
    // Given twice, the last one counts, as with docker's own flags.
    parsed[name] = option.kind === 'list' ? [...(Array.isArray(before) ? before : []), `${value}`] : value;
  }
  return parsed;
}

function switchValue(joined: string | undefined, rest: readonly string[]): boolean | undefined {
  if (joined !== undefined) return { true: true, false: false }[joined];
  return rest[0] === 'true' || rest[0] === 'false' ? undefined : true;
}

/** An unambiguous value. */
function textValue(text: string | undefined): string | undefined {
  return text === undefined || /^(-|['"]|$)/.test(text) ? undefined : text;
}
