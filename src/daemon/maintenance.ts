import { messageOf } from '../lib/errors.ts';
import { repeat } from '../lib/repeat.ts';
import type { Conditions } from '../model/conditions.ts';

/** ms between looks at what others may have changed: flushed firewalls, links left behind. */
const defaultPause = 5_000;

/** What {@link maintain} looks after. */
export interface MaintenanceDeps {
  /** by the part of the host's network that each keeps as it must be */
  tasks: Readonly<Record<string, () => Promise<void>>>;
  /** ms; default 5 s */
  pause?: number;
  conditions: Conditions;
  signal: AbortSignal;
}

/**
 * Keeps the host's network as it must be. Each task is repeated by itself, so that one that hangs holds up no other;
 * one that fails is a condition until it works again.
 */
export function maintain({ tasks, pause = defaultPause, conditions, signal }: MaintenanceDeps): void {
  for (const [part, task] of Object.entries(tasks)) {
    const run = async () => {
      await task();
      conditions.clear('MAINTENANCE_FAILED', part);
    };
    const failed = (error: unknown) =>
      conditions.set('MAINTENANCE_FAILED', `cannot maintain the ${part}: ${messageOf(error)}`, part);
    repeat(run, { pause, signal, failed });
  }
}
