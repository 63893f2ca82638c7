import { type Completion, type Flag, listContainers } from './model.ts';

/** Completions for zsh, as a file of fpath or to be sourced. */
export function zshScript(completions: readonly Completion[]): string {
  const commands = completions.map(({ name, about }) => `    ${quote(`${name}:${about}`)}`);
  const cases = completions.map(({ name, flags, words, containers }) => {
    const rest = [
      ...(words.length > 0 ? [quote(`*: :(${words.join(' ')})`)] : []),
      ...(containers ? [quote('*: :_weavets_containers')] : []),
    ];
    return `    ${name}) _arguments ${[...flags.flatMap(specs), ...rest].join(' ')} ;;`;
  });
  return `#compdef weavets
# zsh completion of weavets
_weavets_containers() {
  local -a names
  names=(\${(f)"$(${listContainers})"})
  compadd -a names
}
_weavets() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _weavets ]; then _weavets "$@"; else compdef _weavets weavets; fi`;
}

/** An option as _arguments takes it; \`*\`: it may be given again. */
function specs({ spellings, about, value }: Flag): string[] {
  const text = about.replaceAll(/[[\]:\\]/g, '\\$&');
  const follows = { none: '', file: ': :_files', text: ': : ' }[value];
  return spellings.map((spelling) => {
    const joined = value !== 'none' && spelling.startsWith('--') ? '=' : '';
    return quote(`*${spelling}${joined}[${text}]${follows}`);
  });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
