import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Where a shell looks for completions of programs that no package brought. */
export const completionFiles = {
  bash: '/usr/local/share/bash-completion/completions/weavets',
  zsh: '/usr/local/share/zsh/site-functions/_weavets',
  fish: '/etc/fish/completions/weavets.fish',
} as const;

/** systemd's units; the socket is first, as it is needed by the other. */
export const unitFiles = {
  socket: '/etc/systemd/system/weavets.socket',
  service: '/etc/systemd/system/weavets.service',
} as const;

/** Writes a file that the whole host may read, and the folders above it. */
export async function install(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode: 0o644 });
}

/** Removes what was installed. @returns false if it was not there */
export async function uninstall(path: string): Promise<boolean> {
  try {
    await rm(path, { recursive: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
