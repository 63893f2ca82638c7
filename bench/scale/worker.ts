/** Processes of the simulation, and how they are asked. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Answer = { result: unknown } | { error: string };

/** Another process that serves operations; ended with its disposal. */
export class Worker implements AsyncDisposable {
  readonly #child: ChildProcess;

  /** @param file beside this one */
  constructor(file: string) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), {
      execArgv: ['--import', import.meta.resolve('tsx'), '--expose-gc', '--max-old-space-size=8192'],
    });
  }

  /** One at a time. */
  async call<T>(operation: string, argument: unknown = null): Promise<T> {
    this.#child.send({ operation, argument });
    const ended = once(this.#child, 'exit').then(() => {
      throw new Error(`the process ended during ${operation}`);
    });
    ended.catch(() => {});
    const [answer] = (await Promise.race([once(this.#child, 'message'), ended])) as [Answer];
    if ('error' in answer) throw new Error(answer.error);
    return answer.result as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Serves a {@link Worker}. */
export function serve(operations: Record<string, (argument: never) => unknown>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ operation, argument }: { operation: string; argument: never }) => {
    try {
      process.send?.({ result: (await operations[operation]?.(argument)) ?? null });
    } catch (error) {
      process.send?.({ error: `${operation}: ${error instanceof Error ? error.stack : error}` });
    }
  });
}

/** ms since the epoch, finer than Date.now(); the same in all processes of a machine. */
export const now = () => performance.timeOrigin + performance.now();

/** Bytes that this process uses, after a garbage collection. */
export function memory(): { heap: number; rss: number } {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}
