import { codeOf, messageOf, WeaveError } from '../lib/errors.ts';
import { type Command, type Context, usageOf } from './command.ts';
import { commands } from './commands.ts';
import { parseArgs } from './parse.ts';
import { didYouMean } from './suggest.ts';

const commandNames = commands.map((command) => command.name);
/** Flags that stand for a command. */
const spelled: Readonly<Record<string, string>> = { '--help': 'help', '-h': 'help', '--version': 'version' };

/** Runs one command line (without node and script). @returns the exit code; never throws */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  const [first = '', ...rest] = argv;
  try {
    if (first === '') throw new WeaveError('USAGE', 'name a command');
    const command = find(spelled[first] ?? first);
    if (command.anyArguments ? rest[0] === '--help' : rest.includes('--help'))
      context.out(await (await import('./help/help.ts')).commandHelp(command));
    else await command.run(await parseArgs(command, rest), context, commands);
    return 0;
  } catch (error) {
    complain(error, first, { json: rest.includes('--json'), context });
    return 1;
  }
}

function find(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    throw new WeaveError('USAGE', `unknown command '${name}'${didYouMean(name, commandNames)}`);
  }
  return command;
}

function complain(error: unknown, name: string, how: { json: boolean; context: Context }): void {
  const { err } = how.context;
  const code = codeOf(error);
  if (how.json) {
    err(JSON.stringify({ code, message: messageOf(error) }));
    return;
  }
  err(`weavets: ${messageOf(error)} (${code})`);
  if (!(error instanceof WeaveError) && error instanceof Error && error.stack !== undefined) err(error.stack);
  if (code !== 'USAGE') return;
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) err(`usage: weavets COMMAND [flags] …\ncommands: ${commandNames.join(' ')}`);
  else err(`usage: ${usageOf(command)}\nsee: weavets ${name} --help`);
}
