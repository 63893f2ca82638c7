import { existsSync, type FSWatcher, readFileSync, type WatchListener, watch } from 'node:fs';
import { dirname, join } from 'node:path';
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
    const look = (file: string) => {
      const pid = pidIn(file);
      return pid === undefined || pid === not ? undefined : ContainerProcess.open(pid, id);
    };
    return inFolders(this.#folders.tasks, { id, file: 'init.pid', look, signal });
  }

  /**
   * The runtime lets the created container begin: the engine has written all its files.
   * @returns undefined when `signal` came first
   */
  begun(id: string, signal: AbortSignal): Promise<true | undefined> {
    const look = (file: string) => (existsSync(dirname(file)) && !existsSync(file) ? true : undefined);
    return inFolders(this.#folders.runtimes, { id, file: 'exec.fifo', look, signal });
  }
}

function pidIn(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

/** What {@link inFolders} looks for. */
interface Look<T> {
  /** of the container, and the name of its folder */
  id: string;
  /** in that folder */
  file: string;
  look: (file: string) => T | undefined;
  signal: AbortSignal;
}

/** Looks at `root/id/file` of each root now, and whenever it comes, changes or goes, until there is a result. */
function inFolders<T>(roots: readonly string[], { id, file, look, signal }: Look<T>): Promise<T | undefined> {
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
        const found = look(join(folder, file));
        if (found !== undefined) end(found);
      };
      const enter = () => {
        if (done) return;
        // The folder is a new one in each run.
        const inner = watchIn(folder, (_, name) => name === file && lookAgain());
        if (inner) watchers.push(inner);
        lookAgain();
      };
      const outer = watchIn(root, (event, name) => event === 'rename' && name === id && enter());
      // No such folder: this engine keeps its files elsewhere.
      if (outer === undefined) continue;
      watchers.push(outer);
      enter();
    }
  });
}

function watchIn(folder: string, changed: WatchListener<string>): FSWatcher | undefined {
  // Most are not there, and an error costs more than a look.
  if (!existsSync(folder)) return undefined;
  try {
    return watch(folder, { persistent: false }, changed).on('error', () => {});
  } catch {
    return undefined;
  }
}
