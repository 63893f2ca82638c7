import type { Args, Option } from '../config/option.ts';
import { flag } from '../config/option.ts';
import type { ControlClient } from '../control/client.ts';
import { WeaveError } from '../lib/errors.ts';

/** A command's connection to the outside world. */
export interface Context {
  env: NodeJS.ProcessEnv;
  control: Pick<ControlClient, 'call'>;
  /** Writes a line to standard output: only what scripts parse. */
  out(line: string): void;
  /** Writes a line to standard error: hints, warnings, progress. */
  err(line: string): void;
  /** Asks the person at the terminal; undefined without a terminal. */
  confirm(question: string): Promise<boolean | undefined>;
  /** Which outputs a person looks at, and how wide and colored the first may be. */
  terminal: { out: boolean; err: boolean; columns: number; colors: boolean };
  /** Shows a text on the terminal of standard error until the next, or any line, takes its place; empty: none. */
  transient(text: string): void;
}

/** As commands have it. */
export interface CommandContext extends Context {
  /** What is done now, for a person who has waited for over a second; empty: nothing is to be shown. */
  doing(what: string): void;
}

/** What every command has that prints data. */
const common = { json: flag('Print JSON, in the form that docs/json.md has') } as const;

/** A verb of the command line, as data. */
export interface Command<O extends Record<string, Option> = Record<string, Option>> {
  name: string;
  /** What follows the name: `[ADDR…] CONTAINER` */
  operands?: string;
  /** One sentence, for the list of commands and the command's own help. */
  about: string;
  options?: O;
  /** Every argument is a word, even if it looks like a flag. */
  anyArguments?: true;
  /** false: it prints text for another program, and takes no --json */
  json?: false;
  /** Command lines, each with what it does. */
  examples: readonly (readonly [commandLine: string, effect: string])[];
  /**
   * Carries it out; whatever is thrown becomes a message and exit code 1.
   * @param commands all commands, for help and completions
   */
  run(args: Args<O>, context: CommandContext, commands: readonly Command[]): Promise<void>;
}

/** `weavets attach [flags] [ADDR…] CONTAINER` */
export function usageOf(command: Command): string {
  const flags = command.options === undefined ? '' : ' [flags]';
  const operands = command.operands === undefined ? '' : ` ${command.operands}`;
  return `weavets ${command.name}${flags}${operands}`;
}

/** A command as it is written: `run` gets its own options and the common ones. */
interface Definition<O extends Record<string, Option>> extends Omit<Command, 'options' | 'run'> {
  options?: O;
  run: Command<O & typeof common>['run'];
}

/** Infers the options' types; the result is used without them. */
export function command<const O extends Record<string, Option>>(definition: Definition<O>): Command {
  const { options, json } = definition;
  return {
    ...definition,
    options: json === false ? options : { ...options, ...common },
  } as unknown as Command;
}

/** Refuses words that the command does not take. @throws WeaveError USAGE */
export function noWords(words: readonly string[]): void {
  if (words.length > 0) throw new WeaveError('USAGE', `unexpected '${words.join(' ')}'`);
}

/** Splits `[X…] CONTAINER`. @throws WeaveError USAGE without a container */
export function lastIsContainer(words: readonly string[]): { before: string[]; container: string } {
  const container = words.at(-1);
  if (container === undefined) throw new WeaveError('USAGE', 'name the container');
  return { before: words.slice(0, -1), container };
}
