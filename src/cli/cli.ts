import { codeOf, isLasting, messageOf, WeaveError } from '../lib/errors.ts';
import { type Command, type CommandContext, type Context, usageOf } from './command.ts';
import { commands } from './commands.ts';
import { exits } from './exits.ts';
import { parseArgs } from './parse.ts';
import { Progress } from './progress.ts';
import { didYouMean } from './suggest.ts';

const commandNames = commands.map((command) => command.name);
/** Flags that stand for a command. */
const spelled: Readonly<Record<string, string>> = { '--help': 'help', '-h': 'help', '--version': 'version' };

/** Runs one command line (without node and script). @returns the exit code; never throws */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  const [first = '', ...rest] = argv;
  const progress = new Progress(context.transient);
  try {
    if (first === '') throw new WeaveError('USAGE', 'name a command');
    const command = find(spelled[first] ?? first);
    if (command.anyArguments ? rest[0] === '--help' : rest.includes('--help'))
      context.out(await (await import('./help/help.ts')).commandHelp(command));
    else await command.run(await parseArgs(command, rest), watched(context, progress), commands);
    return 0;
  } catch (error) {
    progress.stop();
    complain(error, first, { json: rest.includes('--json'), context });
    return first === 'launch' && rest.includes('--foreground') && isLasting(codeOf(error)) ? exits.config : 1;
  } finally {
    progress.stop();
  }
}

/** Printed lines replace the progress text. */
function watched(context: Context, progress: Progress): CommandContext {
  return {
    ...context,
    out: (line) => {
      progress.hide();
      context.out(line);
    },
    err: (line) => {
      progress.hide();
      context.err(line);
    },
    confirm: (question) => {
      progress.stop();
      return context.confirm(question).finally(() => progress.start());
    },
    doing: (what) => progress.doing(what),
  };
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
