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
  readonly #tasks: readonly Root[];
  readonly #runtimes: readonly Root[];

  constructor({ tasks, runtimes }: StartFolders = engineFolders) {
    this.#tasks = tasks.map((path) => new Root(path));
    this.#runtimes = runtimes.map((path) => new Root(path));
  }

  /** The container's first process, if it is there by now. */
  process(id: string): ContainerProcess | undefined {
    for (const { path } of this.#tasks) {
      const found = processIn(join(path, id, 'init.pid'), id);
      if (found) return found;
    }
    return undefined;
  }

  /**
   * The container's first process, once its namespaces are made. A file that an earlier run left names no process of
   * the container, or that of the run which is to end: `not`.
   * @returns undefined when `signal` came first
   */
  processOf(id: string, { signal, not }: { signal: AbortSignal; not: number }) {
    const look = (file: string) => processIn(file, id, not);
    return inFolders(this.#tasks, { id, file: 'init.pid', look, signal });
  }

  /**
   * The runtime lets the created container begin: the engine has written all its files.
   * @returns undefined when `signal` came first
   */
  begun(id: string, signal: AbortSignal): Promise<true | undefined> {
    const look = (file: string) => (existsSync(dirname(file)) && !existsSync(file) ? true : undefined);
    return inFolders(this.#runtimes, { id, file: 'exec.fifo', look, signal });
  }
}

function processIn(file: string, id: string, not = 0): ContainerProcess | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return pid === 0 || pid === not ? undefined : ContainerProcess.open(pid, id);
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
function inFolders<T>(roots: readonly Root[], { id, file, look, signal }: Look<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const undo: (() => void)[] = [];
    let done = false;
    const end = (found: T | undefined) => {
      if (done) return;
      done = true;
      for (const each of undo) each();
      signal.removeEventListener('abort', aborted);
      resolve(found);
    };
    const aborted = () => end(undefined);
    signal.addEventListener('abort', aborted);
    if (signal.aborted) return end(undefined);
    for (const root of roots) {
      if (done) break;
      const folder = join(root.path, id);
      const lookAgain = () => {
        if (done) return;
        const found = look(join(folder, file));
        if (found !== undefined) end(found);
      };
      const enter = () => {
        if (done) return;
        // The folder is a new one in each run.
        const inner = watchIn(folder, (_, name) => name === file && lookAgain());
        if (inner) undo.push(() => inner.close());
        lookAgain();
      };
      const leave = root.wait(id, enter);
      // No such folder: this engine keeps its files elsewhere.
      if (leave === undefined) continue;
      undo.push(leave);
      enter();
    }
  });
}

/** A folder of containers' folders, watched once for all who wait there: else each would hear of all others. */
class Root {
  readonly path: string;
  readonly #waiting = new Map<string, Set<() => void>>();
  #watcher: FSWatcher | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Waits for a container's folder. @param changed called when it comes or goes
   * @returns ends the waiting; undefined: there is no such folder of folders
   */
  wait(id: string, changed: () => void): (() => void) | undefined {
    this.#watcher ??= watchIn(this.path, (event, name) => {
      if (event === 'rename') for (const each of this.#waiting.get(name ?? '') ?? []) each();
    });
    if (this.#watcher === undefined) return undefined;
    const mine = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, mine.add(changed));
    return () => {
      mine.delete(changed);
      if (mine.size === 0) this.#waiting.delete(id);
      if (this.#waiting.size > 0) return;
      this.#watcher?.close();
      this.#watcher = undefined;
    };
  }
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
