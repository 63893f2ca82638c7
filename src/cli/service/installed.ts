import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { secretVariables } from '../../config/secrets.ts';
import { WeaveError } from '../../lib/errors.ts';
import { hasControls } from '../../lib/exec.ts';

/** Where a shell looks for completions of programs that no package brought. */
export const completionFiles = {
  bash: '/usr/local/share/bash-completion/completions/weavets',
  zsh: '/usr/local/share/zsh/site-functions/_weavets',
  fish: '/etc/fish/completions/weavets.fish',
} as const;

/** systemd's units. */
export const unitFiles = {
  socket: '/etc/systemd/system/weavets.socket',
  service: '/etc/systemd/system/weavets.service',
} as const;

/** Where there is a package, the units are the package's own. */
export const isPackaged = () => existsSync('/usr/lib/systemd/system/weavets.service');

/** Flags and secrets for the service; root's alone. */
export const environmentFile = '/etc/default/weavets';

/**
 * Writes the file of flags and secrets, if there is none yet, with those secrets that the environment has; one that is
 * there keeps what it says. Either way only root can read it.
 * @returns true if it is new
 */
export async function installEnvironment(env: NodeJS.ProcessEnv, path = environmentFile): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, environmentText(env), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await chmod(path, 0o600);
    return false;
  }
}

/** @throws WeaveError USAGE for a secret that such a file can't hold */
export function environmentText(env: NodeJS.ProcessEnv): string {
  const secrets = secretVariables.toSorted().map((variable) => {
    const value = env[variable];
    if (!value) return `#${variable}=""\n`;
    if (hasControls(value)) throw new WeaveError('USAGE', `${variable} has control characters`);
    return `${variable}="${value.replaceAll(/["\\$`]/g, '\\$&')}"\n`;
  });
  return `# Settings for 'weavets launch' under systemd; 'systemctl restart weavets' applies them.
# Flags. Secrets don't belong here: every user can read a command line.
WEAVETS_FLAGS=""

# Secrets; see 'weavets help environment'.
${secrets.join('')}`;
}

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
