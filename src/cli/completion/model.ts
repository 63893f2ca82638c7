import type { OptionKind } from '../../config/option.ts';
import type { Command } from '../command.ts';
import { topics } from '../help/topics.ts';
import { spellings } from '../spellings.ts';

/** What a shell can offer behind a command. */
export interface Completion {
  name: string;
  about: string;
  flags: readonly Flag[];
  /** words that may stand there */
  words: readonly string[];
  /** names of containers may stand there */
  containers: boolean;
}

export interface Flag {
  /** `-f`, `--format` */
  spellings: readonly string[];
  about: string;
  /** what follows it; none for a switch */
  value: 'none' | 'file' | 'text';
}

/** Shells that completions are made for. */
export const completionShells = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof completionShells)[number];

/** Lists running containers by name: what the scripts run when a container is meant. */
export const listContainers = "docker ps --format '{{.Names}}' 2>/dev/null";

const values: Record<OptionKind, Flag['value']> = {
  flag: 'none',
  text: 'text',
  number: 'text',
  list: 'text',
  file: 'file',
};

/** All that there is to complete, out of the commands' own definitions. */
export function completions(commands: readonly Command[]): Completion[] {
  return commands.map((command) => ({
    name: command.name,
    about: command.about,
    flags: [
      ...Object.entries(command.options ?? {}).map(([name, option]) => ({
        spellings: spellings(name, option),
        about: option.about,
        value: values[option.kind],
      })),
      { spellings: ['--help'], about: 'Show help', value: 'none' as const },
    ],
    words: wordsOf(command, commands),
    containers: command.operands?.includes('CONTAINER') ?? false,
  }));
}

/** `bash|zsh|fish` in the operands are words; what is in capitals stands for others. */
function wordsOf({ operands = '' }: Command, commands: readonly Command[]): string[] {
  const choices = /[\w-]+(\|[\w-]+)+/.exec(operands)?.[0].split('|') ?? [];
  return choices.flatMap((choice) => {
    if (choice === 'COMMAND') return commands.map(({ name }) => name);
    return choice === 'TOPIC' ? Object.keys(topics) : choice;
  });
}
