import { type Command, usageOf } from '../command.ts';
import { described, spellings } from '../spellings.ts';
import { type Block, readTopic, topics } from './topics.ts';

/** The manual page weavets(1), in the language of man: the commands, then the topics. */
export async function manPage(commands: readonly Command[]): Promise<string> {
  const lines = [
    '.TH WEAVETS 1',
    // A line that is not filled is not stretched: the usage of a command can be searched for.
    '.ad l',
    '.SH NAME',
    'weavets \\- an address and a name on one network for every container',
    '.SH SYNOPSIS',
    '.B weavets',
    'COMMAND [flags] ...',
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
  ];
  for (const topic of Object.keys(topics)) {
    lines.push(`.SH ${topic.toUpperCase()}`, ...(await readTopic(topic)).flatMap(blockLines));
  }
  return lines.join('\n');
}

function commandLines(command: Command): string[] {
  const options = Object.entries(command.options ?? {}).flatMap(([name, option]) => {
    const without = option.kind === 'flag' ? undefined : (option.default ?? option.without);
    const text = without === undefined ? described(option) : `${described(option)} (default: ${without})`;
    return ['.TP', `.B ${roff(spellings(name, option).join(', '))}`, roff(text)];
  });
  const examples = command.examples.flatMap(([line, effect]) => ['.TP', `.B ${roff(line)}`, roff(effect)]);
  return [
    `.SS ${roff(usageOf(command))}`,
    `${roff(command.about)}.`,
    ...options,
    '.PP',
    'Examples:',
    ...examples,
  ];
}

function blockLines(block: Block): string[] {
  switch (block.kind) {
    case 'heading':
      // The section has the topic's name already.
      return [];
    case 'text':
      return ['.PP', roff(block.text)];
    case 'code':
      return ['.PP', '.EX', ...block.text.split('\n').map((line) => `    ${roff(line)}`), '.EE'];
    case 'table':
      return block.rows.flatMap(([first = '', ...rest]) => [
        '.TP',
        `.B ${roff(first)}`,
        roff(rest.join(' ')),
      ]);
  }
}

/** Text that means itself: no request at the beginning of a line, no escapes, hyphens that can be searched for. */
function roff(text: string): string {
  return text
    .replaceAll('`', '')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('…', '...')
    .replaceAll('–', '\\(en')
    .replaceAll(/^\./gm, '\\&.');
}
