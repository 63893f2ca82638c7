import { type Completion, listContainers } from './model.ts';

/** Completions for fish. */
export function fishScript(completions: readonly Completion[]): string {
  const lines = completions.flatMap(({ name, about, flags, words, containers }) => {
    const behind = `complete -c weavets -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c weavets -n __fish_use_subcommand -a ${name} -d ${quote(about)}`,
      ...flags.map(({ spellings, about: text, value }) => {
        const names = spellings.map((spelling) => spelling.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s '));
        const follows = { none: '', file: ' -r -F', text: ' -x' }[value];
        return `${behind} ${names.join(' ')}${follows} -d ${quote(text)}`;
      }),
      ...(words.length > 0 ? [`${behind} -a ${quote(words.join(' '))}`] : []),
      ...(containers ? [`${behind} -a ${quote(`(${listContainers})`)}`] : []),
    ];
  });
  return ['# fish completion of weavets', 'complete -c weavets -f', ...lines].join('\n');
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
