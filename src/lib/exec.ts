import { spawn } from 'node:child_process';
import { WeaveError } from './errors.ts';

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
}

/**
 * Runs a tool from an argv array, never through a shell, and answers whatever its exit code.
 * @throws WeaveError TOOL_MISSING when the executable does not exist.
 */
export function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<Output> {
  const [file, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      signal: options.signal,
      env: options.env,
    });
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
    child.stdin.end(options.input ?? '');
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT'
          ? new WeaveError(
              'TOOL_MISSING',
              `'${file}' is not installed; install it (Debian: apt-get install ${packageOf(file)})`,
              {
                cause: error,
              },
            )
          : error,
      );
    });
    child.on('close', (code, signal) => resolve({ code: code ?? (signal ? 128 : 1), stdout, stderr }));
  });
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

const packages: Record<string, string> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nsenter: 'util-linux',
  iptables: 'iptables',
  'iptables-restore': 'iptables',
  sysctl: 'procps',
  'ovs-vsctl': 'openvswitch-switch',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
};

function packageOf(file: string): string {
  return packages[file] ?? file;
}
