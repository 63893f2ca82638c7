import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { LaunchConfig } from '../../config/config.ts';
import { secretVariables } from '../../config/secrets.ts';
import { parseErrorCode, WeaveError } from '../../lib/errors.ts';
import { daemonEnvironment, daemonFlags } from './node-flags.ts';

/** What {@link spawnDaemon} needs beside the configuration. */
export interface SpawnOptions {
  /** the daemon's main module */
  file: string;
  /** where its output goes, appended */
  log: string;
  env: NodeJS.ProcessEnv;
  /** told what the daemon does on its way */
  doing?: (what: string) => void;
  /** longest wait for the daemon to be ready, ms; default two minutes */
  patience?: number;
}

/**
 * Starts the daemon as a process of its own, and waits until it is ready. If it is not, its process has ended.
 * @returns its pid
 * @throws WeaveError what the daemon says that keeps it from starting, else LAUNCH_FAILED
 */
export async function spawnDaemon(config: LaunchConfig, how: SpawnOptions): Promise<number> {
  const log = openLog(how.log);
  // The daemon is in a session of its own, so Ctrl-C reaches only us; heard from before it is there.
  const interrupted = () => child.kill('SIGTERM');
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  const child = spawn(process.execPath, [...daemonFlags, how.file], {
    cwd: '/',
    detached: true,
    env: { ...withoutSecrets(how.env), ...daemonEnvironment },
    stdio: ['pipe', log, log, 'pipe'],
  });
  // Through a pipe: there may be a password in it, and arguments and environment can be read as long as it runs.
  child.stdin?.on('error', () => {});
  child.stdin?.end(JSON.stringify(config));
  if (log !== 'ignore') closeSync(log);
  try {
    return await ready(child, how);
  } catch (error) {
    await ended(child);
    throw error;
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    child.unref();
    child.stdio[3]?.destroy();
  }
}

/** For output that the daemon does not log itself, such as node's last words; launch does not fail without it. */
function openLog(path: string): number | 'ignore' {
  try {
    return openSync(path, 'a', 0o640);
  } catch {
    return 'ignore';
  }
}

function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secretVariables.includes(name)));
}

/** ms that it has to close its parts. */
const lastWords = 10_000;

/** Its process has ended when this resolves; one that hears no signal is killed. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), lastWords);
  await exit;
  clearTimeout(timer);
}

async function ready(child: ChildProcess, { log, doing, patience = 120_000 }: SpawnOptions): Promise<number> {
  const failed = (reason: string, cause?: unknown) => new WeaveError('LAUNCH_FAILED', reason, { cause });
  let late: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve, reject) => {
    const lines = createInterface({ input: child.stdio[3] as Readable });
    lines.on('line', (line) => {
      const said = JSON.parse(line) as DaemonReport;
      if (said.doing !== undefined) doing?.(said.doing);
      else if (said.ready) resolve();
      else reject(new WeaveError(parseErrorCode(said.code) ?? 'LAUNCH_FAILED', `${said.message}`));
    });
    child.once('error', (cause) =>
      reject(failed(`cannot start ${process.execPath}: ${cause.message}`, cause)),
    );
    child.once('close', (code, signal) =>
      reject(
        failed(`weavets ended before it was ready (${signal ?? `exit code ${code}`}); its log is ${log}`),
      ),
    );
    late = setTimeout(
      () => reject(failed(`weavets was not ready after ${patience / 1000} s; its log is ${log}`)),
      patience,
    );
  }).finally(() => clearTimeout(late));
  return child.pid as number;
}

/** The daemon's word, on a line each: what it does, and at last that it is ready, or why not. */
interface DaemonReport {
  doing?: string;
  ready?: boolean;
  code?: string;
  message?: string;
}
