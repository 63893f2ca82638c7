import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where containerd keeps its tasks: started by dockerd, or by the system. */
const taskRoots = ['/run/docker/containerd/daemon', '/run/containerd'].map(
  (state) => `${state}/io.containerd.runtime.v2.task/moby`,
);

/**
 * Learns a starting container's pid from containerd's files, some 20 ms before the engine answers. A fast way only:
 * where the files are elsewhere it never resolves to a pid, and the engine's answer serves.
 */
export class StartWatch {
  readonly #roots: readonly string[];

  constructor(roots: readonly string[] = taskRoots) {
    this.#roots = roots;
  }

  /** Pid of the container's first process, once its namespaces are made; undefined when `signal` came first. */
  async pidOf(id: string, signal: AbortSignal): Promise<number | undefined> {
    const stop = new AbortController();
    const found = this.#roots.map((root) => this.#pidIn(root, id, stop.signal));
    const never = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    try {
      return await Promise.race([never, ...found]);
    } finally {
      stop.abort();
    }
  }

  async #pidIn(root: string, id: string, signal: AbortSignal): Promise<number> {
    await appears(root, id, signal);
    const task = join(root, id);
    await appears(task, 'init.pid', signal);
    return Number(await readFile(join(task, 'init.pid'), 'utf8'));
  }
}

/** Resolves when `name` is in `folder`; never, when the folder can't be watched or `signal` comes. */
function appears(folder: string, name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () =>
      readFile(join(folder, name)).then(
        () => resolve(),
        (error: NodeJS.ErrnoException) => error.code === 'EISDIR' && resolve(),
      );
    try {
      const watcher = watch(folder, { signal, persistent: false }, (_, file) => file === name && look());
      watcher.on('error', () => {});
      // It may have been there before the watch was.
      void look();
    } catch {
      // No such folder: this engine keeps its tasks elsewhere.
    }
  });
}
