import yargs, { type Argv } from 'yargs';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Command, Context } from './command.ts';
import { commands } from './commands.ts';
import { didYouMean } from './suggest.ts';

const commandNames = commands.map((command) => command.name);

/** Runs one command line (without node and script). @returns the exit code; never throws */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  const [first = '', ...rest] = argv;
  try {
    if (first === '') throw new WeaveError('USAGE', 'name a command');
    if (helpWords.has(first)) {
      const topic = rest[0];
      context.out(await (topic === undefined ? overview() : helpOn(find(topic))));
      return 0;
    }
    const command = find(first === '--version' ? 'version' : first);
    if (rest.includes('--help')) {
      context.out(await helpOn(command));
      return 0;
    }
    await command.run(await parseArgs(command, rest), context);
    return 0;
  } catch (error) {
    complain(error, first, { json: rest.includes('--json'), context });
    return 1;
  }
}

const helpWords = new Set(['help', '--help', '-h']);

function find(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    throw new WeaveError('USAGE', `unknown command '${name}'${didYouMean(name, [...commandNames, 'help'])}`);
  }
  return command;
}

function parser(): Argv {
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

/** A command's options and words, checked against what it takes. @throws WeaveError USAGE */
export async function parseArgs(command: Command, argv: string[]): Promise<Parameters<Command['run']>[0]> {
  const options = command.options ?? {};
  const names = Object.entries(options).flatMap(([name, { alias = [] }]) => [name, ...[alias].flat()]);
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
    if (name === '_' || name === '$0' || names.includes(name)) continue;
    const dashed = `${name.length === 1 ? '-' : '--'}${name}`;
    throw new WeaveError(
      'USAGE',
      `unknown flag '${dashed}'${didYouMean(
        dashed,
        names.map((n) => `--${n}`),
      )}`,
    );
  }
  return { ...parsed, words: parsed._.map(String) };
}

function usageOf(command: Command): string {
  const flags = command.options === undefined ? '' : ' [flags]';
  const operands = command.operands === undefined ? '' : ` ${command.operands}`;
  return `weavets ${command.name}${flags}${operands}`;
}

function overview(): Promise<string> {
  const help = parser().usage('weavets COMMAND [flags] …').help('help');
  for (const command of commands) help.command(command.name, command.about);
  return help
    .epilogue(
      "'weavets COMMAND --help' tells more about a command.\nEvery container on the network: eval $(weavets env), then docker run.",
    )
    .getHelp();
}

function helpOn(command: Command): Promise<string> {
  const examples = command.examples.map(([commandLine, effect]) => `  ${commandLine}\n      ${effect}`);
  return parser()
    .usage(`${usageOf(command)}\n\n${command.about}`)
    .options(command.options ?? {})
    .help('help')
    .epilogue(`Examples:\n${examples.join('\n')}`)
    .getHelp();
}

function complain(error: unknown, name: string, how: { json: boolean; context: Context }): void {
  const { err } = how.context;
  const code = error instanceof WeaveError ? error.code : 'INTERNAL';
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
