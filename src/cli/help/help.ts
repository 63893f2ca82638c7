import { type Command, usageOf } from '../command.ts';
import { parser, yargsOptions } from '../full-parse.ts';

/** The list of commands. @param topics names of the topics that `help` has beside them */
export function overview(commands: readonly Command[], topics: readonly string[]): Promise<string> {
  const help = parser().usage('weavets COMMAND [flags] …').help('help');
  for (const command of commands) help.command(command.name, command.about);
  return help
    .epilogue(
      [
        "'weavets COMMAND --help' tells more about a command,",
        `'weavets help TOPIC' about: ${topics.join(', ')}.`,
        'Every container on the network: eval $(weavets env), then docker run.',
      ].join('\n'),
    )
    .getHelp();
}

/** Usage, options, examples. */
export function commandHelp(command: Command): Promise<string> {
  const examples = command.examples.map(([commandLine, effect]) => `  ${commandLine}\n      ${effect}`);
  return parser()
    .usage(`${usageOf(command)}\n\n${command.about}`)
    .options(yargsOptions(command.options))
    .help('help')
    .epilogue(`Examples:\n${examples.join('\n')}`)
    .getHelp();
}
