import { flag } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import { didYouMean } from '../suggest.ts';

export const help = command({
  name: 'help',
  operands: '[COMMAND|TOPIC]',
  about: 'Explain a command or a topic, or list them',
  json: false,
  options: { man: flag('Print everything as a manual page') },
  examples: [
    ['weavets help addresses', 'how a container asks for an address'],
    ['weavets help --man | man -l -', 'the manual page'],
  ],
  async run({ words, man }, { out }, commands) {
    const { commandHelp, overview } = await import('../help/help.ts');
    const { plainText, readTopic, topics } = await import('../help/topics.ts');
    const [name, ...more] = words;
    if (more.length > 0 || (man && name !== undefined)) {
      throw new WeaveError('USAGE', 'give one command or topic, or --man');
    }
    if (man) return out(await (await import('../help/man-page.ts')).manPage(commands));
    if (name === undefined || name === 'commands') return out(await overview(commands, Object.keys(topics)));
    const known = commands.find((candidate) => candidate.name === name);
    if (known !== undefined) return out(await commandHelp(known));
    if (Object.hasOwn(topics, name)) return out(plainText(await readTopic(name)));
    const names = [...commands.map((candidate) => candidate.name), ...Object.keys(topics)];
    throw new WeaveError('USAGE', `there is no command or topic '${name}'${didYouMean(name, names)}`);
  },
});
