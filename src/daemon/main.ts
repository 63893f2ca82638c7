import { setMaxListeners } from 'node:events';
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { LaunchConfig } from '../config/config.ts';
import { secretVariables } from '../config/secrets.ts';
import { codeOf, WeaveError } from '../lib/errors.ts';
import { createLogger } from '../lib/log.ts';
import { isJournal, LogFile } from '../lib/log-file.ts';
import { Conditions } from '../model/conditions.ts';
import { paths } from '../model/paths.ts';
import { runParts } from './daemon.ts';
import { surviveFaults } from './faults.ts';
import { notifyReady } from './notify.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';

/**
 * Runs the daemon in this process until SIGTERM, SIGINT or `stop`.
 * @param to where the log goes: standard error, of which systemd or a container's engine makes a log of its own, or a
 * file, which is rotated, and opened anew on SIGHUP
 * @param launcher told of the start
 * @throws WeaveError when a part can't start; what had started is closed again
 */
export async function runDaemon(
  config: LaunchConfig,
  to: LogFile = new LogFile({ to: 2, priorities: isJournal(2, process.env) }),
  launcher: Pick<DaemonDeps, 'doing' | 'onReady'> = { doing: () => {}, onReady: () => {} },
): Promise<void> {
  // V8 would let what is old grow twofold and more before it looks for garbage there. NODE_OPTIONS can't say it.
  setFlagsFromString('--heap-growing-percent=30');
  // The tools that we run have no use for them.
  for (const variable of secretVariables) delete process.env[variable];
  const logger = createLogger(config.logLevel, to);
  const conditions = new Conditions({ logger });
  to.watch((problem) => conditions.update('LOG_LOST', problem));
  const ending = new AbortController();
  // Each part listens for the end.
  setMaxListeners(0, ending.signal);
  const stop = () => ending.abort();
  process.on('SIGTERM', stop).on('SIGINT', stop);
  surviveFaults(logger, conditions);
  const onReady = () => {
    launcher.onReady();
    void notifyReady(logger);
  };
  const { doing } = launcher;
  await runParts({ config, logger, conditions, signal: ending.signal, stop, doing, onReady });
  logger.info('stopped');
}

/** File descriptor on which `launch` writes what it was asked for. */
const configFd = 0;
/** File descriptor on which `launch` reads what the daemon does, and that it is ready or why not: JSON, a line each. */
const reportFd = 3;

function tellLauncher(report: { doing: string } | { ready: true } | { code: string; message: string }): void {
  try {
    writeSync(reportFd, `${JSON.stringify(report)}\n`);
    if (!('doing' in report)) closeSync(reportFd);
  } catch {
    // It may have gone; then nobody waits.
  }
}

async function main(): Promise<void> {
  try {
    const config = JSON.parse(readFileSync(configFd, 'utf8')) as LaunchConfig;
    const log = new LogFile({ to: paths.log });
    process.on('SIGHUP', () => log.reopen());
    await runDaemon(config, log, {
      doing: (doing) => tellLauncher({ doing }),
      onReady: () => tellLauncher({ ready: true }),
    });
    process.exit(0);
  } catch (error) {
    const code = codeOf(error);
    const text = error instanceof WeaveError ? error.message : `${(error as Error).stack ?? error}`;
    tellLauncher({ code, message: text });
    process.exit(1);
  }
}

if (process.argv[1] === import.meta.filename) await main();
