import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { WeaveError } from '../lib/errors.ts';
import { hasControls, hung, run, runOk, spawnError, toolDeadline } from '../lib/exec.ts';

/** A failed line of a batch, and the tool's message. */
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

/** Lines per job: long lists are split, so that slow is distinguished from hung. */
const jobLines = 256;
/** ms that a line may take beside the deadline of its job: to take a link away waits for all processors */
const lineDeadline = 100;

/** Which program to run as a batch, and how long a job may take. */
export interface IpBatchOptions {
  /** path of the program; default: the tool itself */
  program?: string;
  /** ms that a job may take, lines aside */
  deadline?: number;
}

/**
 * One `ip -batch -` (or `bridge -batch -`) that stays: a change costs no process. Jobs run one after the other, as
 * the kernel's rtnetlink lock would have it anyway. A tool that hangs or ends in a job fails that job and is replaced;
 * the jobs behind it, of which it has run nothing, are given to the new one. `bridge` keeps each device's index for
 * its life: a batch is of no use for a device that was made anew.
 */
export class IpBatch {
  readonly #tool: keyof typeof endOfJob;
  readonly #program: string;
  readonly #deadline: number;
  #child: ChildProcessWithoutNullStreams | undefined;
  #sent = 0;
  #stderr = '';
  #messages: string[] = [];
  #failures: Failure[] = [];
  readonly #jobs: Job[] = [];
  /** runs while the first job is under way */
  #hangs: NodeJS.Timeout | undefined;

  constructor(tool: keyof typeof endOfJob = 'ip', options: IpBatchOptions = {}) {
    this.#tool = tool;
    this.#program = options.program ?? tool;
    this.#deadline = options.deadline ?? toolDeadline;
  }

  /**
   * Runs lines of the tool's batch language; each is tried even if one before it failed. @returns those that failed
   * @throws WeaveError TOOL_FAILED when a line has control characters, the tool hangs or ends; TOOL_MISSING
   */
  async run(lines: readonly string[]): Promise<Failure[]> {
    checkLines(lines);
    const count = Math.max(1, Math.ceil(lines.length / jobLines));
    const parts = Array.from({ length: count }, (_, i) => lines.slice(i * jobLines, (i + 1) * jobLines));
    return (await Promise.all(parts.map((part) => this.#queue(part)))).flat();
  }

  #queue(lines: readonly string[]): Promise<Failure[]> {
    return new Promise((done, failed) => {
      this.#jobs.push({ lines, start: 0, done, failed });
      this.#send(this.#jobs.length - 1);
    });
  }

  /**
   * As {@link run}, but a line that fails is an error.
   * @param optional one of the lines, which may fail
   * @throws WeaveError TOOL_FAILED
   */
  async runOk(lines: readonly string[], optional = ''): Promise<void> {
    const failure = (await this.run(lines)).find(({ line }) => line !== optional);
    if (failure) throw new WeaveError('TOOL_FAILED', `${this.#tool} ${failure.line}: ${failure.message}`);
  }

  close(): void {
    this.#child?.stdin.end();
  }

  /** Takes another tool from here on, which knows nothing of links that were there before. */
  async renew(): Promise<void> {
    do await this.run([]);
    while (this.#jobs.length > 0);
    this.close();
    this.#child = undefined;
  }

  /** Writes jobs to the tool, from that number on. */
  #send(from: number): void {
    const child = this.#child ?? this.#start();
    if (child === undefined) return;
    for (const job of this.#jobs.slice(from)) {
      job.start = this.#sent + 1;
      this.#sent += job.lines.length + 1;
      child.stdin.write(`${[...job.lines, endOfJob[this.#tool]].join('\n')}\n`);
    }
    if (from === 0) this.#watch(child);
  }

  #start(): ChildProcessWithoutNullStreams | undefined {
    const child = spawn(this.#program, ['-force', '-batch', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.on('error', (error) => this.#ended(child, spawnError(this.#program, error)));
    this.#child = child;
    this.#sent = 0;
    // Without descriptors left there are no pipes; the error follows, and fails the jobs.
    if (child.stderr === null || child.stderr === undefined) return undefined;
    child.stdout.resume();
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#child === child) this.#read(text);
    });
    // What comes while nothing is under way goes to a new one at once.
    child.on('exit', () => {
      if (this.#child === child && this.#jobs.length === 0) this.#child = undefined;
    });
    // `close` comes after the last of stderr, which says why.
    child.on('close', (code, signal) => {
      const said = [...this.#messages, this.#stderr].join(' ').trim();
      const text = `${this.#tool} -batch ended (${signal ?? `exit ${code}`})${said && `: ${said}`}`;
      const at = this.#jobs[0]?.lines.join('; ') ?? '';
      this.#ended(child, new WeaveError('TOOL_FAILED', `${text}; at: ${at.slice(0, 500)}`));
    });
    // An idle batch must not keep the daemon from ending.
    child.unref();
    return child;
  }

  /** The tool is gone: its first job fails, the others go to the next one. */
  #ended(child: ChildProcessWithoutNullStreams, error: Error): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    clearTimeout(this.#hangs);
    this.#stderr = '';
    this.#messages = [];
    this.#failures = [];
    // If it can't be started at all, all jobs fail.
    const failing = this.#jobs.splice(0, child.pid === undefined ? this.#jobs.length : 1);
    for (const job of failing) job.failed(error);
    if (this.#jobs.length > 0) this.#send(0);
  }

  /** Sets the first job's deadline. */
  #watch(child: ChildProcessWithoutNullStreams): void {
    clearTimeout(this.#hangs);
    const [job] = this.#jobs;
    if (job === undefined) return;
    const ms = this.#deadline + job.lines.length * lineDeadline;
    this.#hangs = setTimeout(() => {
      child.kill('SIGKILL');
      this.#ended(child, hung(`${this.#tool} -batch, at: ${job.lines[0]}`, child.pid, ms));
    }, ms);
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
      if (this.#child) this.#watch(this.#child);
    } else {
      this.#failures.push({ line, message: this.#messages.join(' ') });
    }
    this.#messages = [];
  }
}

/**
 * The lines of a batch as its tool reads them. A line break or another control character in one would make it two:
 * a command that nobody here has written. @throws WeaveError TOOL_FAILED
 */
export function batchText(lines: readonly string[]): string {
  checkLines(lines);
  return `${lines.join('\n')}\n`;
}

function checkLines(lines: readonly string[]): void {
  const bad = lines.find(hasControls);
  if (bad === undefined) return;
  throw new WeaveError('TOOL_FAILED', `a line for a tool has control characters: ${JSON.stringify(bad)}`);
}

/** Runs a query of `ip` or `bridge` and reads its JSON; no output is an empty list. */
export async function queryJson<T>(argv: readonly ['ip' | 'bridge', ...string[]]): Promise<T[]> {
  const [tool, ...args] = argv;
  const text = await runOk([tool, '-json', ...args]);
  return text.trim() === '' ? [] : (JSON.parse(text) as T[]);
}

/** Runs queries about IPv4 in one process. One that fails, as its link has gone, has no answer. */
export async function queryEach<T>(lines: readonly string[]): Promise<T[]> {
  const argv = ['ip', '-4', '-json', '-force', '-batch', '-'] as const;
  const { stdout } = await run(argv, { input: batchText(lines) });
  return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : (JSON.parse(line) as T[])));
}
