import { closeSync, fstatSync, openSync, renameSync, truncateSync, unlinkSync, writeSync } from 'node:fs';

/** Options of {@link LogFile}. */
export interface LogFileOptions {
  /** the file, or an open descriptor, which is neither rotated nor reopened */
  to: string | number;
  /** bytes after which the file is rotated */
  maxBytes?: number;
  /** rotated files to keep: `path.1` is the newest */
  keep?: number;
  /** lines begin with their priority, as systemd's journal reads it: `<4>` is a warning's */
  priorities?: boolean;
  /** ms between attempts while lines are lost; default 5 s */
  retryAfter?: number;
}

/**
 * Where the log's lines go. Never throws: a line that can't be written, as on a full disk, is lost, counted, and told
 * of in the log itself once there is room.
 */
export class LogFile {
  readonly #path: string | undefined;
  readonly #maxBytes: number;
  readonly #keep: number;
  readonly #retryAfter: number;
  readonly #priorities: boolean;
  #fd: number | undefined;
  #size = 0;
  /** ends in the middle of a line, as the disk was full */
  #torn = false;
  #lost = 0;
  #problem: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #listener: (problem: string | undefined) => void = () => {};

  constructor({
    to,
    maxBytes = 10 * 1024 * 1024,
    keep = 3,
    retryAfter = 5_000,
    priorities = false,
  }: LogFileOptions) {
    this.#priorities = priorities;
    this.#retryAfter = retryAfter;
    this.#path = typeof to === 'string' ? to : undefined;
    this.#fd = typeof to === 'number' ? to : undefined;
    this.#maxBytes = maxBytes;
    this.#keep = keep;
  }

  /** Why lines are being lost; undefined if none are. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Called when {@link problem} changes, and at once if there is one. */
  watch(listener: (problem: string | undefined) => void): void {
    this.#listener = listener;
    if (this.#problem !== undefined) listener(this.#problem);
  }

  /** @param line ends in a newline */
  write(line: string): void {
    try {
      if (this.#lost > 0) this.#put(lossLine(this.#lost, this.#problem));
      this.#lost = 0;
      this.#put(line);
    } catch (error) {
      this.#lost++;
      this.#failed(error as NodeJS.ErrnoException);
      return;
    }
    this.#works();
  }

  /** Reopens the file, after another program has moved it. */
  reopen(): void {
    if (this.#path === undefined || this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  close(): void {
    clearTimeout(this.#retry);
    this.reopen();
  }

  #put(line: string): void {
    const fd = this.#open();
    const marked = this.#priorities ? withPriority(line) : line;
    const bytes = Buffer.from(this.#torn ? `\n${marked}` : marked);
    const written = writeAll(fd, bytes);
    this.#size += written;
    this.#torn = written === bytes.length ? false : written > 0 || this.#torn;
    if (written < bytes.length) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    if (this.#path !== undefined && this.#size >= this.#maxBytes) this.#rotate(this.#path);
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    // Throws if its directory is gone or full; the next line tries again.
    this.#fd = openSync(this.#path ?? '', 'a', 0o640);
    this.#size = fstatSync(this.#fd).size;
    this.#torn = false;
    return this.#fd;
  }

  #rotate(path: string): void {
    this.reopen();
    this.#size = 0;
    for (let number = this.#keep; number >= 0; number--) {
      const file = number === 0 ? path : `${path}.${number}`;
      try {
        if (number < this.#keep) renameSync(file, `${path}.${number + 1}`);
        else discard(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    const where = this.#path ?? 'standard error';
    const problem = `cannot write the log to ${where} (${error.code ?? error.message}); lines are lost until that is fixed`;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.write('');
      // An attempt is not a lost line.
      if (this.#problem !== undefined) this.#lost--;
    }, this.#retryAfter).unref();
    this.#tell(problem);
  }

  #works(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#tell(undefined);
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#listener(problem);
  }
}

/** True if what is written to a descriptor becomes lines of systemd's journal. */
export function isJournal(fd: number, env: NodeJS.ProcessEnv): boolean {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return env.JOURNAL_STREAM === `${dev}:${ino}`;
}

/** From pino's levels to syslog's. */
function withPriority(line: string): string {
  const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 30);
  const priority = level >= 60 ? 2 : level >= 50 ? 3 : level >= 40 ? 4 : level >= 30 ? 6 : 7;
  return line === '' ? line : `<${priority}>${line}`;
}

/** Writes until all is written or nothing more is taken. @returns bytes written */
function writeAll(fd: number, bytes: Buffer): number {
  let written = 0;
  while (written < bytes.length) {
    let count = 0;
    try {
      count = writeSync(fd, bytes, written);
    } catch (error) {
      if (written === 0) throw error;
    }
    if (count === 0) break;
    written += count;
  }
  return written;
}

/** Frees its blocks even if somebody still holds it open. */
function discard(file: string): void {
  truncateSync(file);
  unlinkSync(file);
}

function lossLine(count: number, problem = ''): string {
  return `${JSON.stringify({ level: 40, time: new Date().toISOString(), lost: count, msg: `${count} lines of the log were lost: ${problem}` })}\n`;
}
