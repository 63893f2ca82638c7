import type { ShimFinding } from '../model/shim.ts';

/** The versions on which an engine's messages depend. */
export interface EngineVersions {
  /** `28.5.2` */
  engine: string;
  /** of runc, `1.3.6`; `''` when not known */
  runtime: string;
}

/** What an engine says about a command that it can't run. */
export interface CommandError {
  message: string;
  /** State.ExitCode; the docker command reads its own from the words */
  exitCode: number;
  /** of the answer to a start */
  status: number;
}

const reasons: Readonly<Record<number, string>> = {
  2: 'no such file or directory',
  13: 'permission denied',
  20: 'not a directory',
  36: 'file name too long',
  40: 'too many levels of symbolic links',
};

/** What the engine adds where something is not a directory, whatever the reason. */
const mountHint =
  'Are you trying to mount a directory onto a file (or vice-versa)? ' +
  'Check if the specified host path exists and is the expected type';

/** The error in the words of this engine and runtime. @param command its first word */
export function commandError(finding: ShimFinding, command: string, versions: EngineVersions): CommandError {
  const engine = Number.parseInt(versions.engine, 10);
  const tellsOfDirectories = atLeast(versions.runtime, [1, 1, 10]);
  const words = [
    ...(engine >= 23 ? ['failed to create task for container'] : []),
    'failed to create shim task: OCI runtime create failed: runc create failed',
    'unable to start container process',
    ...(atLeast(versions.runtime, [1, 2, 0]) ? ['error during container init'] : []),
    `exec: ${JSON.stringify(command)}`,
    reasonOf(finding, command, tellsOfDirectories),
    ...(engine >= 28 ? [] : ['unknown']),
    // The engine's own comments on the runtime's message.
    ...(finding.kind === 'directory' && tellsOfDirectories ? ['permission denied'] : []),
    ...(finding.errno === 20 ? [mountHint] : []),
  ];
  const exitCode = codeOf(finding);
  return { message: words.join(': '), exitCode, status: exitCode === 128 ? 500 : 400 };
}

function reasonOf({ kind, errno }: ShimFinding, command: string, tellsOfDirectories: boolean): string {
  const reason = reasons[errno] ?? `errno ${errno}`;
  if (kind === 'path') return 'executable file not found in $PATH';
  if (kind === 'stat') return `stat ${command}: ${reason}`;
  if (kind === 'directory') return tellsOfDirectories ? 'is a directory' : 'permission denied';
  return reason;
}

function codeOf({ kind, errno }: ShimFinding): number {
  if (kind === 'path' || errno === 2 || errno === 20) return 127;
  return kind === 'directory' || errno === 13 ? 126 : 128;
}

function atLeast(version: string, least: readonly number[]): boolean {
  const parts = version
    .replace(/^v/, '')
    .split(/[^0-9]/)
    .map(Number);
  const differs = least.findIndex((part, at) => part !== (parts[at] ?? 0));
  return differs < 0 || (parts[differs] ?? 0) > (least[differs] ?? 0);
}
