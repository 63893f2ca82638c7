import { flag } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { command } from '../command.ts';
import type { CompletionShell } from '../completion/model.ts';
import { completionFiles, install as writeFile } from '../service/installed.ts';

export const completion = command({
  name: 'completion',
  operands: 'bash|zsh|fish',
  about: "Print the script that completes weavets' commands, flags and containers in a shell",
  json: false,
  options: { install: flag('Write it to where the shell finds it, for all users') },
  examples: [
    ['eval "$(weavets completion bash)"', 'for this shell, or as a line in ~/.bashrc'],
    ['weavets completion fish --install', 'for every new shell, until weavets uninstall'],
  ],
  async run({ words: [shell, ...more], install }, { out }, commands) {
    const { completions, completionShells } = await import('../completion/model.ts');
    const known = completionShells.find((candidate) => candidate === shell);
    if (known === undefined || more.length > 0) {
      throw new WeaveError('USAGE', `name one shell: ${completionShells.join(', ')}`);
    }
    const scripts: Record<CompletionShell, () => Promise<string>> = {
      bash: async () => (await import('../completion/bash.ts')).bashScript(completions(commands)),
      zsh: async () => (await import('../completion/zsh.ts')).zshScript(completions(commands)),
      fish: async () => (await import('../completion/fish.ts')).fishScript(completions(commands)),
    };
    const script = await scripts[known]();
    if (!install) return out(script);
    await writeFile(completionFiles[known], `${script}\n`);
    out(completionFiles[known]);
  },
});
