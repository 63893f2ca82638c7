import { existsSync, type FSWatcher, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { ContainerProcess } from './container-process.ts';

/** Folders with a subfolder for each container. */
export interface StartFolders {
  /** containerd's tasks, with `init.pid` */
  tasks: readonly string[];
  /** the runtime's state, with `exec.fifo` while the container is made and not yet started */
  runtimes: readonly string[];
}

/** For a dockerd with its own containerd, and for one that uses the system's. */
const engineFolders: StartFolders = {
  tasks: ['/run/docker/containerd/daemon', '/run/containerd'].map(
    (state) => `${state}/io.containerd.runtime.v2.task/moby`,
  ),
  runtimes: ['runc', 'crun', 'io.containerd.runc.v2'].map((name) => `/run/docker/runtime-${name}/moby`),
};

/**
 * Learns of a container's start from the files of containerd and runc, earlier than the engine answers. A fast way
 * only: where the files are elsewhere nothing ever resolves, and the engine's answer serves.
 */
export class StartWatch {
  readonly #folders: StartFolders;

  constructor(folders: StartFolders = engineFolders) {
    this.#folders = folders;
  }

  /**
   * The container's first process, once its namespaces are made. A file that an earlier run left names no process of
   * the container, or that of the run which is to end: `not`.
   * @returns undefined when `signal` came first
   */
  processOf(id: string, { signal, not }: { signal: AbortSignal; not: number }) {
    const look = (folder: string) => {
      const pid = pidIn(join(folder, 'init.pid'));
      return pid === undefined || pid === not ? undefined : ContainerProcess.open(pid, id);
    };
    return inFolders(this.#folders.tasks, id, look, signal);
  }

  /**
   * The runtime lets the created container begin: the engine has written all its files.
   * @returns undefined when `signal` came first
   */
  begun(id: string, signal: AbortSignal): Promise<true | undefined> {
    const look = (folder: string) =>
      existsSync(folder) && !existsSync(join(folder, 'exec.fifo')) ? true : undefined;
    return inFolders(this.#folders.runtimes, id, look, signal);
  }
}

function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

/** Checks `root/id` of each root now, and whenever something there changes, until there is a result. */
function inFolders<T>(
  roots: readonly string[],
  id: string,
  look: (folder: string) => T | undefined,
  signal: AbortSignal,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const watchers: FSWatcher[] = [];
    let done = false;
    const end = (found: T | undefined) => {
      if (done) return;
      done = true;
      for (const watcher of watchers) watcher.close();
      signal.removeEventListener('abort', aborted);
      resolve(found);
    };
    const aborted = () => end(undefined);
    signal.addEventListener('abort', aborted);
    if (signal.aborted) return end(undefined);
    for (const root of roots) {
      const folder = join(root, id);
      const lookAgain = () => {
        if (done) return;
        const found = look(folder);
        if (found !== undefined) end(found);
      };
      const enter = () => {
        if (done) return;
        // The folder is a new one in each run.
        const inner = watchIn(folder, lookAgain);
        if (inner) watchers.push(inner);
        lookAgain();
      };
      const outer = watchIn(root, (name) => name === id && enter());
      // No such folder: this engine keeps its files elsewhere.
      if (outer === undefined) continue;
      watchers.push(outer);
      enter();
    }
  });
}

function watchIn(folder: string, changed: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => changed(name));
    watcher.on('error', () => {});
    return watcher;
  } catch {
    return undefined;
  }
}
