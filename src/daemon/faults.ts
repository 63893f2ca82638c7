import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Conditions } from '../model/conditions.ts';

/** The network of many containers hangs on this process: what nobody caught is logged, and it goes on. */
export function surviveFaults(logger: Logger, conditions: Conditions): void {
  const survive = (error: unknown) => {
    logger.error({ err: error }, 'unhandled error (a bug in weavets)');
    // What the system refused, descriptors or space, is no lasting fault.
    if (error instanceof Error && 'syscall' in error) return;
    conditions.set(
      'FAULT',
      `a bug in weavets: ${messageOf(error)}; please report it, with the log's lines of that time`,
    );
  };
  process.on('unhandledRejection', survive).on('uncaughtException', survive);
}
