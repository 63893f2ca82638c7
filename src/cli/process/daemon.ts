import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LaunchConfig } from '../../config/config.ts';

// The one place where the command line reaches into the daemon's folder: `launch --foreground` runs it in this very
// process, `reset` cleans up when no daemon is left to ask, `setup` checks what the daemon will. Computed, so that no other command loads it, and with
// our own ending: .js when built, .ts in development.
const ending = extname(fileURLToPath(import.meta.url));
const source = new URL('../../', import.meta.url);

/** The file that runs the daemon as a process of its own. */
export const daemonFile = fileURLToPath(new URL(`daemon/main${ending}`, source));

/** What `daemon/main` exports. */
export interface DaemonModule {
  /** Runs until the daemon is stopped. @throws WeaveError if it can't start */
  runDaemon(config: LaunchConfig): Promise<void>;
}

/** What `daemon/reset` exports. */
export interface ResetModule {
  /** Removes bridge, veths, rules and state. @returns warnings, for what could not be removed */
  resetHost(options: { env: NodeJS.ProcessEnv }): Promise<string[]>;
}

/** What `doctor/preflight` exports. */
export interface PreflightModule {
  /** @throws WeaveError TOOL_MISSING */
  checkTools(): Promise<void>;
}

export async function importDaemon(): Promise<DaemonModule> {
  return await import(new URL(`daemon/main${ending}`, source).href);
}

export async function importReset(): Promise<ResetModule> {
  return await import(new URL(`daemon/reset${ending}`, source).href);
}

export async function importPreflight(): Promise<PreflightModule> {
  return await import(new URL(`doctor/preflight${ending}`, source).href);
}
