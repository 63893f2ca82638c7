import { chmod, copyFile, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeaveError } from '../lib/errors.ts';
import { shimDirectory, shimModes } from '../model/shim.ts';

/** Puts the shims where containers can bind them: host paths, kept while any container may still start from them. */
export async function installShims(stateDir: string): Promise<void> {
  const built = fileURLToPath(new URL(`../shim/${process.arch}`, import.meta.url));
  for (const mode of shimModes) {
    const source = `${built}/${mode}/w`;
    const target = `${shimDirectory(stateDir, mode)}/w`;
    const wanted = await readFile(source).catch((cause) => {
      throw new WeaveError('LAUNCH_FAILED', `${source} is missing; 'npm run build' makes it`, { cause });
    });
    const present = await readFile(target).catch(() => undefined);
    if (present?.equals(wanted)) continue;
    await mkdir(dirname(target), { recursive: true });
    // Containers may be running the old one: replaced by rename, never written to.
    await copyFile(source, `${target}.new`);
    await chmod(`${target}.new`, 0o755);
    await rename(`${target}.new`, target);
  }
}
