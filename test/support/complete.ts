import type { Output } from '../../src/lib/exec.ts';

/** Runs a shell on the host that is tested. */
type Run = (argv: string[]) => Promise<Output>;

/** Loads the completions as a user would, and asks the shell itself what it offers at the end of a line. */
export const offered: Record<'bash' | 'zsh' | 'fish', (run: Run, line: string) => Promise<string[]>> = {
  async bash(run, line) {
    const script = `
      eval "$(weavets completion bash)"
      read -ra COMP_WORDS <<<"$1"
      [[ $1 == *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _weavets
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    return sorted(await run(['bash', '-c', script, 'bash', line]));
  },

  async fish(run, line) {
    const script = 'weavets completion fish | source; complete -C $argv[1]';
    const output = await run(['fish', '--no-config', '-c', script, line]);
    return sorted({ ...output, stdout: output.stdout.replaceAll(/\t.*$/gm, '') });
  },

  /** Its completion works in an interactive shell only: one on a pseudo terminal, which prints what it would offer. */
  async zsh(run, line) {
    const inner = `
      PS1= RPS1=; autoload -U compinit; compinit -u -D
      eval "$(weavets completion zsh)"
      zstyle ":completion:*" matcher-list ""
      compadd() {
        if [[ " $* " == *" -"[OAD]" "* ]]; then builtin compadd "$@"; return; fi
        local -a hits
        builtin compadd -O hits "$@"
        (( $#hits )) && print -rl -- "HIT<"$^hits">"
        builtin compadd "$@"
      }
      finish() { zle complete-word; print -r -- "THE END" }
      zle -N finish
      bindkey "^T" finish
      print -r -- READY`;
    const script = `
      zmodload zsh/zpty
      export INNER=$1
      zpty inner zsh -f -i
      zpty -w inner 'eval "$INNER"'
      zpty -r -m inner got "*READY"$'\\r'"*" || exit 1
      zpty -w -n inner "$2"$'\\x14'
      zpty -r -m inner got "*THE END*" || exit 1
      print -r -- "$got"
      zpty -d inner`;
    const output = await run(['zsh', '-f', '-c', script, 'zsh', inner, line]);
    const hits = [...output.stdout.matchAll(/HIT<([^>\r\n]*)>/g)].map(([, hit]) => hit);
    return sorted({ ...output, stdout: hits.join('\n') });
  },
};

function sorted({ code, stdout, stderr }: Output): string[] {
  if (code !== 0 || stderr !== '') throw new Error(`the shell failed (${code}): ${stderr}`);
  return [...new Set(stdout.split('\n').map((word) => word.trim()))].filter((word) => word !== '').toSorted();
}
