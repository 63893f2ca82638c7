import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { WeaveError } from '../lib/errors.ts';
import { runOk } from '../lib/exec.ts';

/** A line of a batch that failed, and what the tool said of it. */
export interface Failure {
  line: string;
  message: string;
}

interface Job {
  lines: readonly string[];
  /** number of the job's first line in the batch, from 1 */
  start: number;
  done: (failures: Failure[]) => void;
  failed: (error: Error) => void;
}

/**
 * Ends each job: no such device, so the tool reports the line's number on stderr, behind the errors of the lines
 * before it. A query that succeeds would answer on stdout, and the two pipes have no order between them.
 */
const endOfJob = {
  ip: 'link del weavets-sync',
  bridge: 'fdb del 00:00:00:00:00:00 dev weavets-sync',
} as const;

/**
 * One `ip -batch -` (or `bridge -batch -`) that stays: a change costs no process. Jobs run one after the other, as
 * the kernel's rtnetlink lock would have it anyway. `bridge` keeps each device's index for its life: a batch is of no
 * use for a device that was made anew.
 */
export class IpBatch {
  readonly #tool: keyof typeof endOfJob;
  #child: ChildProcessWithoutNullStreams | undefined;
  #sent = 0;
  #stderr = '';
  #messages: string[] = [];
  #failures: Failure[] = [];
  readonly #jobs: Job[] = [];

  constructor(tool: keyof typeof endOfJob = 'ip') {
    this.#tool = tool;
  }

  /** Runs lines of the tool's batch language; each is tried even if one before it failed. @returns those that failed */
  run(lines: readonly string[]): Promise<Failure[]> {
    return new Promise((done, failed) => {
      const child = this.#child ?? this.#start();
      this.#jobs.push({ lines, start: this.#sent + 1, done, failed });
      this.#sent += lines.length + 1;
      child.stdin.write(`${lines.join('\n')}\n${endOfJob[this.#tool]}\n`);
    });
  }

  /** As {@link run}, but a line that fails is an error. @throws WeaveError TOOL_FAILED */
  async runOk(lines: readonly string[]): Promise<void> {
    const [failure] = await this.run(lines);
    if (failure) throw new WeaveError('TOOL_FAILED', `${this.#tool} ${failure.line}: ${failure.message}`);
  }

  close(): void {
    this.#child?.stdin.end();
  }

  #start(): ChildProcessWithoutNullStreams {
    const child = spawn(this.#tool, ['-force', '-batch', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#sent = 0;
    child.stdout.resume();
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    const ended = (why: string) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#stderr = '';
      const error = new WeaveError(
        'TOOL_FAILED',
        `${this.#tool} -batch ended: ${why}; is iproute2 installed?`,
      );
      for (const job of this.#jobs.splice(0)) job.failed(error);
    };
    child.on('error', (error) => ended(error.message));
    child.on('exit', (code, signal) => ended(`exit ${code ?? signal}`));
    // The daemon must be able to end while the batch idles.
    child.unref();
    return child;
  }

  #read(text: string): void {
    const lines = (this.#stderr + text).split('\n');
    this.#stderr = lines.pop() ?? '';
    for (const line of lines) {
      const failed = /^Command failed -:(\d+)$/.exec(line);
      if (failed) this.#lineFailed(Number(failed[1]));
      else if (line !== '') this.#messages.push(line);
    }
  }

  #lineFailed(number: number): void {
    const job = this.#jobs[0];
    if (job === undefined) return;
    const line = job.lines[number - job.start];
    if (line === undefined) {
      this.#jobs.shift();
      job.done(this.#failures);
      this.#failures = [];
    } else {
      this.#failures.push({ line, message: this.#messages.join(' ') });
    }
    this.#messages = [];
  }
}

/** Runs a query of `ip` or `bridge` and reads its JSON; no output is an empty list. */
export async function queryJson<T>(argv: readonly ['ip' | 'bridge', ...string[]]): Promise<T[]> {
  const [tool, ...args] = argv;
  const text = await runOk([tool, '-json', ...args]);
  return text.trim() === '' ? [] : (JSON.parse(text) as T[]);
}

/** argv that runs `argv` in the network namespace of a process. */
export function inNetns(pid: number, argv: readonly string[]): [string, ...string[]] {
  return ['nsenter', `--net=/proc/${pid}/ns/net`, '--', ...argv];
}
