import type { LaunchConfig } from '../../config/config.ts';
import type { Logger } from '../../lib/log.ts';
import type { Conditions } from '../../model/conditions.ts';

/** What the daemon gets from its process. */
export interface DaemonDeps {
  /** as `launch` decided it */
  config: LaunchConfig;
  logger: Logger;
  conditions: Conditions;
  /** aborts when the daemon is to end */
  signal: AbortSignal;
  /** ends the daemon */
  stop: () => void;
  /** told of each stage of the start, in words for people */
  doing: (what: string) => void;
  /** called once everything serves, and running containers are attached */
  onReady: () => void;
}
