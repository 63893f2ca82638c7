import { spawn } from 'node:child_process';
import { WeaveError } from './errors.ts';
import { howToInstall } from './tools.ts';

/** What a finished tool left: exit code and its output as UTF-8. */
export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

/** Options of {@link run}. */
export interface RunOptions {
  /** Written to the tool's standard input, which is then closed. */
  input?: string;
  signal?: AbortSignal;
  env?: NodeJS.ProcessEnv;
  /** ms until the tool is killed; default {@link toolDeadline}; null: never */
  deadline?: number | null;
  /** allow control characters in arguments, as in scripts */
  script?: boolean;
}

/** True for text that a tool could take for more than one word or line. */
export function hasControls(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\x00-\x1f\x7f]/.test(text);
}

/** ms after which a tool counts as hung: far more than any needs. */
export const toolDeadline = 30_000;

/**
 * Runs a tool from an argv array, never through a shell, and answers whatever its exit code.
 * @throws WeaveError TOOL_MISSING when the executable does not exist; TOOL_FAILED when it can't be started, or hangs
 */
export function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<Output> {
  const [file, ...args] = argv;
  const { signal, env, input = '', deadline = toolDeadline } = options;
  return new Promise((resolve, reject) => {
    const bad = options.script ? undefined : argv.find(hasControls);
    if (bad !== undefined)
      throw new WeaveError(
        'TOOL_FAILED',
        `an argument of ${file} has control characters: ${JSON.stringify(bad)}`,
      );
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], signal, env });
    let hangs: NodeJS.Timeout | undefined;
    child.once('error', (error) => {
      clearTimeout(hangs);
      reject(signal?.aborted ? error : spawnError(file, error));
    });
    // A process out of descriptors gets a child without pipes; the error follows.
    if (child.stdout === null || child.stdout === undefined) return;
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (s: string) => {
      stdout += s;
    });
    child.stderr.setEncoding('utf8').on('data', (s: string) => {
      stderr += s;
    });
    // A tool that ends before it has read its input closes the pipe; its exit code tells the rest.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('close', (code, ended) => {
      clearTimeout(hangs);
      resolve({ code: code ?? (ended ? 128 : 1), stdout, stderr });
    });
    if (deadline === null) return;
    hangs = setTimeout(() => {
      // Its children may hold the pipes open, so don't wait for them.
      child.kill('SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
      reject(hung(argv.join(' '), child.pid, deadline));
    }, deadline);
  });
}

/** The error for a tool that could not be started. */
export function spawnError(file: string, error: NodeJS.ErrnoException): WeaveError {
  if (error.code === 'ENOENT') {
    const text = `'${file}' is not installed; ${howToInstall(file)}`;
    return new WeaveError('TOOL_MISSING', text, { cause: error });
  }
  const text = `cannot start '${file}': ${error.message}`;
  const limits = error.code === 'EMFILE' || error.code === 'ENFILE' || error.code === 'EAGAIN';
  const hint = limits ? '; this host or the daemon is at its limit of open files or processes' : '';
  return new WeaveError('TOOL_FAILED', text + hint, { cause: error });
}

/** The error for a tool that hung and was killed. */
export function hung(what: string, pid: number | undefined, ms: number): WeaveError {
  const text = `${what} (pid ${pid}) did not end within ${ms / 1000} s and was killed; does the kernel or a lock hang?`;
  return new WeaveError('TOOL_FAILED', text);
}

/**
 * As {@link run}, but a non-zero exit is an error.
 * @returns standard output
 * @throws WeaveError TOOL_FAILED with what the tool said
 */
export async function runOk(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const out = await run(argv, options);
  if (out.code !== 0) {
    throw new WeaveError(
      'TOOL_FAILED',
      `${argv.join(' ')}: ${(out.stderr || out.stdout).trim() || `exit ${out.code}`}`,
    );
  }
  return out.stdout;
}
