import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { getSystemErrorMap } from 'node:util';
import { WeaveError } from '../lib/errors.ts';
import { hasControls, hung, spawnError, toolDeadline } from '../lib/exec.ts';
import { packageRoot } from '../lib/package-root.ts';

interface Pending {
  said: string;
  done: () => void;
  failed: (error: Error) => void;
  hangs: NodeJS.Timeout;
}

type Worker = ChildProcess & { stdin: Writable; stdout: Readable };

/**
 * A small program that stays, and does in network namespaces what it is asked for, each request in a process of its own:
 * to fork the daemon takes some 4 ms, to fork that hardly any. `netns-worker.c` has the language of the lines.
 */
export class NetnsWorker {
  readonly #program: string;
  readonly #deadline: number;
  #worker: Worker | undefined;
  #last = 0;
  readonly #pending = new Map<string, Pending>();

  /**
   * @param program the executable
   * @param deadline ms that a request may take; the program itself ends it sooner
   */
  constructor(
    program: string = join(packageRoot, 'dist/shim', process.arch, 'netns-worker'),
    deadline: number = toolDeadline,
  ) {
    this.#program = program;
    this.#deadline = deadline;
  }

  /**
   * Runs lines in a network namespace; the first that fails ends it.
   * @throws WeaveError TOOL_FAILED when a line fails or has control characters, or the program hangs or ends
   */
  async run(netns: { openNetns(): number }, lines: readonly string[]): Promise<void> {
    const bad = lines.find((line) => line === '' || hasControls(line));
    if (bad !== undefined)
      throw new WeaveError('TOOL_FAILED', `not a line for a network namespace: ${JSON.stringify(bad)}`);
    const descriptor = netns.openNetns();
    try {
      await this.#ask([`/proc/${process.pid}/fd/${descriptor}`, ...lines]);
    } finally {
      closeSync(descriptor);
    }
  }

  close(): void {
    this.#worker?.stdin.end();
  }

  #ask([path, ...lines]: string[]): Promise<void> {
    const number = String(++this.#last);
    return new Promise((done, failed) => {
      const hangs = setTimeout(() => {
        const worker = this.#worker;
        worker?.kill('SIGKILL');
        this.#ended(worker, hung('netns-worker', worker?.pid, this.#deadline));
      }, this.#deadline);
      this.#pending.set(number, { said: '', done, failed, hangs });
      const worker = this.#worker ?? this.#start();
      worker?.stdin.write(`${[`${number} ${path}`, ...lines].join('\n')}\n\n`);
    });
  }

  #start(): Worker | undefined {
    const child = spawn(this.#program, { stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', (error) => this.#ended(child, spawnError(this.#program, error)));
    this.#worker = child;
    // Without descriptors left there are no pipes; the error follows.
    if (child.stdout === null || child.stdout === undefined) return undefined;
    child.stdin.on('error', () => {});
    createInterface(child.stdout).on('line', (line) => this.#read(line));
    child.on('close', (code, signal) => {
      const text = `netns-worker ended (${signal ?? `exit ${code}`})`;
      this.#ended(child, new WeaveError('TOOL_FAILED', text));
    });
    // An idle one must not keep the daemon from ending.
    child.unref();
    return child;
  }

  /** Its requests may be half done: they fail. */
  #ended(worker: ChildProcess | undefined, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const [number, { failed }] of this.#pending) {
      this.#forget(number);
      failed(error);
    }
  }

  #read(line: string): void {
    const [, number = '', says, rest = ''] = /^(\d+)(!?) (.*)$/.exec(line) ?? [];
    const pending = this.#pending.get(number);
    if (pending === undefined) return;
    if (says) {
      pending.said = rest.replace(/errno (\d+)$/, (text, errno) => systemError(Number(errno)) ?? text);
      return;
    }
    this.#forget(number);
    if (rest === '0') pending.done();
    else {
      // 128 + SIGALRM
      const how = rest === '142' ? 'took too long; does the kernel or a lock hang?' : `ended with ${rest}`;
      const why = pending.said || `netns-worker's process ${how}`;
      pending.failed(new WeaveError('TOOL_FAILED', `in the network namespace: ${why}`));
    }
  }

  #forget(number: string): void {
    clearTimeout(this.#pending.get(number)?.hangs);
    this.#pending.delete(number);
  }
}

/** `no such device`, for an errno of Linux. */
function systemError(errno: number): string | undefined {
  return getSystemErrorMap().get(-errno)?.[1];
}
