import { chmod, copyFile, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeaveError } from '../lib/errors.ts';
import { run } from '../lib/exec.ts';
import { packageRoot } from '../lib/package-root.ts';
import { shimDirectory, shimModes, shimProgram } from '../model/shim.ts';

const programOf = (stateDir: string, mode: (typeof shimModes)[number]) =>
  shimProgram(shimDirectory(stateDir, mode));

/**
 * Puts the shims where containers can bind them: host paths, kept while any container may still start from them.
 * @throws WeaveError STATE_NOEXEC where no container could run them
 */
export async function installShims(stateDir: string): Promise<void> {
  const built = join(packageRoot, 'dist/shim', process.arch);
  for (const mode of shimModes) {
    const source = shimProgram(`${built}/${mode}`);
    await put(source, programOf(stateDir, mode)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT' || cause.path !== source) throw cause;
      throw new WeaveError('LAUNCH_FAILED', `${source} is missing; 'npm run build' makes it`, { cause });
    });
  }
  await checkExecutable(stateDir);
}

/** From now on containers start at once, as nobody will attach them. The next {@link installShims} undoes it. */
export async function releaseShims(stateDir: string): Promise<void> {
  const source = programOf(stateDir, 'nowait');
  for (const mode of shimModes) {
    if (mode !== 'nowait') await put(source, programOf(stateDir, mode));
  }
}

/** Containers may be running the old one, so it is replaced by rename, never overwritten. */
async function put(source: string, target: string): Promise<void> {
  const wanted = await readFile(source);
  const present = await readFile(target).catch(() => undefined);
  if (present?.equals(wanted)) return;
  await mkdir(dirname(target), { recursive: true });
  await copyFile(source, `${target}.new`);
  await chmod(`${target}.new`, 0o755);
  await rename(`${target}.new`, target);
}

/** Containers inherit the mount's options: what is forbidden here is forbidden there. */
async function checkExecutable(stateDir: string): Promise<void> {
  try {
    // Without a command it prints its usage, and exits.
    await run([programOf(stateDir, 'nowait')]);
  } catch (cause) {
    throw new WeaveError(
      'STATE_NOEXEC',
      `containers start a program in ${stateDir}, which is on a file system mounted noexec; ` +
        `remount that without noexec (mount -o remount,exec), or mount another at ${stateDir}`,
      { cause },
    );
  }
}
