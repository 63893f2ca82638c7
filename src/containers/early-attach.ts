import type { ContainerInfo } from '../docker/types.ts';
import type { ContainerProcess } from './container-process.ts';
import type { StartWatch } from './start-watch.ts';

/** A pending attachment, while the engine is still starting the container. Both resolve to true if it has worked. */
export interface EarlyAttach {
  /** The engine has started it. */
  complete(): Promise<boolean>;
  /** The engine has not started it. */
  abandon(): Promise<boolean>;
}

/**
 * Attaches a container as soon as it has a network namespace, up to what waits for the engine's last files. Today's
 * engines tell that they have connected it when it has one; with others, and without a network, their files are watched.
 * @param info of the container as it was before
 * @param connected resolves when the engine has made its own network for the container: two that make links at the
 * same time wait for the kernel's one lock, and the engine's start would be the later by that
 * @param attach does it, given what resolves when the engine has written the container's files. What it throws is left
 * to the attempt that follows the engine's answer
 */
export function attachEarly(
  info: ContainerInfo,
  watch: StartWatch,
  connected: Promise<unknown>,
  attach: (running: ContainerInfo, begun: Promise<unknown>) => Promise<void>,
): EarlyAttach {
  const answered = new AbortController();
  let answer = { started: () => {}, failed: () => {} };
  const started = new Promise<void>((resolve, reject) => {
    answer = { started: resolve, failed: () => reject(new Error('the engine did not start it')) };
  });
  started.catch(() => {}); // met where it is waited for
  const proceed = async (process: ContainerProcess): Promise<boolean> => {
    const begun: Promise<unknown> = watch
      .begun(info.id, answered.signal)
      .then<unknown>((known) => known ?? started);
    begun.catch(() => {});
    try {
      await Promise.race([connected, begun]);
      await attach({ ...info, pid: process.pid, running: true }, begun);
      return true;
    } catch {
      return false;
    } finally {
      process.close();
    }
  };
  const watched = () =>
    watch.processOf(info.id, { signal: answered.signal, not: info.running ? info.pid : 0 });
  // When it restarts, what there is may still be of the run that ends: its process, and the event of its network. And
  // older engines connect a container before it has a process.
  const isTold = info.networkMode !== 'none' && !info.running;
  const found = isTold
    ? Promise.race([connected, started.catch(() => {})]).then(() => watch.process(info.id) ?? watched())
    : watched();
  const attached = found.then((process) => process !== undefined && proceed(process));
  const end = (how: () => void) => () => {
    how();
    // Without a reason Node makes an error, with its stack.
    answered.abort('answered');
    return attached;
  };
  return { complete: end(() => answer.started()), abandon: end(() => answer.failed()) };
}
