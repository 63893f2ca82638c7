/** How to {@link repeat}. */
export interface RepeatOptions {
  /** ms from the end of one run to the beginning of the next */
  pause: number;
  signal: AbortSignal;
  /** called with each failure; the next run comes anyway */
  failed: (error: unknown) => void;
}

/** Runs a task repeatedly, never twice at once: a hung run is waited for. The first run comes after a pause. */
export function repeat(task: () => Promise<unknown>, { pause, signal, failed }: RepeatOptions): void {
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    if (signal.aborted) return;
    timer = setTimeout(() => void Promise.resolve().then(task).catch(failed).then(next), pause);
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  next();
}
