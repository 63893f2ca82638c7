import { existsSync } from 'node:fs';
import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inSuite, type Suite } from './suite.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** Control groups of version 2, whether the machine has only these or both versions. */
const tree = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((path) =>
  existsSync(join(path, 'cgroup.procs')),
);

/** The control group that a host's systemd takes for the root of all; systemd makes others below it. */
export class HostCgroup implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(name: string): Promise<HostCgroup> {
    if (tree === undefined) throw new Error('this machine has no control groups of version 2');
    await mkdir(join(tree, name));
    return new HostCgroup(join(tree, name));
  }

  /** argv that runs `argv` in it, in a namespace where it is the root. */
  inside(argv: readonly string[]): string[] {
    const enter = 'echo $$ >"$0"; exec unshare --cgroup "$@"';
    return ['sh', '-c', enter, join(this.#folder, 'cgroup.procs'), ...argv];
  }

  /** Its processes have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.#folder);
  }
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder);
}

/** A drop-in for docker.service that runs the engine of another Debian, with a containerd of its own. */
export async function engineDropIn(suite: Suite): Promise<string> {
  const argv = await inSuite(suite, ['/usr/sbin/dockerd', '-H', 'fd://']);
  return `[Service]\nExecStart=\nExecStart=/usr/bin/${argv.join(' ')}\n`;
}

/** What becomes PID 1 of such a host. */
export const systemdScript = join(here, 'host-systemd.sh');
