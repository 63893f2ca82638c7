import { writeSync } from 'node:fs';
import type { LaunchConfig } from '../config/config.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { createLogger } from '../lib/log.ts';
import { runParts } from './daemon.ts';
import { notifyReady } from './notify.ts';

/**
 * Runs the daemon in this process until SIGTERM, SIGINT or `stop`.
 * @throws WeaveError when a part can't start; what had started is closed again
 */
export async function runDaemon(config: LaunchConfig): Promise<void> {
  const logger = createLogger(config.logLevel);
  const ending = new AbortController();
  const stop = () => ending.abort();
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('unhandledRejection', (error) =>
    logger.error({ reason: messageOf(error), error }, 'a fault of ours'),
  );
  await runParts(config, { logger, signal: ending.signal, stop, onReady: () => void notifyReady(logger) });
  logger.info('stopped');
}

/** File descriptor on which `launch` reads why the daemon could not start. */
const reportFd = 3;

async function main(): Promise<void> {
  try {
    const config = JSON.parse(process.env.WEAVETS_CONFIG ?? '') as LaunchConfig;
    // Passwords, which the tools that we run have no use for.
    for (const variable of ['WEAVETS_CONFIG', 'WEAVE_PASSWORD', 'ETCDCTL_USER', 'ETCDCTL_PASSWORD']) {
      delete process.env[variable];
    }
    await runDaemon(config);
    process.exit(0);
  } catch (error) {
    const code = error instanceof WeaveError ? error.code : 'INTERNAL';
    const text = error instanceof WeaveError ? error.message : `${(error as Error).stack ?? error}`;
    writeSync(reportFd, `${JSON.stringify({ code, message: text })}\n`);
    process.exit(1);
  }
}

if (process.argv[1] === import.meta.filename) await main();
