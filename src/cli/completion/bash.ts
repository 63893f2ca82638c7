import { type Completion, listContainers } from './model.ts';

/** Completions for bash. */
export function bashScript(completions: readonly Completion[]): string {
  const cases = completions.map(({ name, flags, words, containers }) => {
    const files = flags.filter(({ value }) => value === 'file').flatMap(({ spellings }) => spellings);
    const texts = flags.filter(({ value }) => value === 'text').flatMap(({ spellings }) => spellings);
    return [
      `    ${name})`,
      `      flags='${flags.flatMap(({ spellings }) => spellings).join(' ')}'`,
      ...(words.length > 0 ? [`      words='${words.join(' ')}'`] : []),
      ...(containers ? [`      words=$(${listContainers})`] : []),
      ...(files.length > 0 ? [`      files='${files.join(' ')}'`] : []),
      ...(texts.length > 0 ? [`      texts='${texts.join(' ')}'`] : []),
      '      ;;',
    ].join('\n');
  });
  return `# bash completion of weavets
_weavets() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} flags='' words='' files='' texts=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${completions.map(({ name }) => name).join(' ')}' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  case " $files " in *" $previous "*) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
  case " $texts " in *" $previous "*) return ;; esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -F _weavets weavets`;
}
