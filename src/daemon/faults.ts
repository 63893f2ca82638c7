import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Conditions } from '../model/conditions.ts';

/** The network of many containers depends on this process: an unhandled error is logged, and it goes on. */
export function surviveFaults(logger: Logger, conditions: Conditions): void {
  const survive = (error: unknown) => {
    logger.error({ err: error }, 'unhandled error (a bug in weavets)');
    // A system limit, such as descriptors or space, is not a bug.
    if (error instanceof Error && 'syscall' in error) return;
    conditions.set(
      'FAULT',
      `a bug in weavets: ${messageOf(error)}; please report it, with the log's lines of that time`,
    );
  };
  process.on('unhandledRejection', survive).on('uncaughtException', survive);
}
