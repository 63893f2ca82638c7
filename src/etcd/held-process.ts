import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { bootId } from '../lib/boot.ts';
import { writePrivate } from './files.ts';

const record = v.object({
  pid: v.number(),
  /** clock ticks from the boot of the host to the start of the process */
  started: v.string(),
  boot: v.string(),
});

/**
 * A process that outlives the daemon which started it, and is found again by a file. A pid that has come to be another
 * process's isn't taken for it: that one began at another time, or runs something else.
 */
export class HeldProcess {
  readonly pid: number;
  readonly #started: string;

  private constructor(pid: number, started: string) {
    this.pid = pid;
    this.#started = started;
  }

  /** @returns undefined: there is no such process */
  static of(pid: number): HeldProcess | undefined {
    const started = startOf(pid);
    return started === undefined ? undefined : new HeldProcess(pid, started);
  }

  /** @param path of what {@link keep} wrote; @param program what it must run @returns undefined: it runs no more */
  static async find(path: string, program: readonly string[]): Promise<HeldProcess | undefined> {
    const text = await readFile(path, 'utf8').catch(() => '{}');
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), record), text);
    if (!parsed.success || parsed.output.boot !== bootId()) return undefined;
    const { pid, started } = parsed.output;
    const held = new HeldProcess(pid, started);
    return held.alive && program.every((word) => held.argv.includes(word)) ? held : undefined;
  }

  /**
   * Looks through all processes, for what no file tells of: its writer was killed first, or the disk was full.
   * Only in our own mount namespace, as a container may call its programs what it likes.
   */
  static running(program: readonly string[]): HeldProcess | undefined {
    const ours = readlinkSync('/proc/self/ns/mnt');
    const isOurs = ({ pid, argv }: HeldProcess) =>
      program.every((word) => argv.includes(word)) && mountNamespace(pid) === ours;
    return readdirSync('/proc')
      .flatMap((name) => (/^\d+$/.test(name) ? (HeldProcess.of(Number(name)) ?? []) : []))
      .find(isOurs);
  }

  /** Writes what {@link find} reads; on a full disk not, as {@link running} finds it all the same. */
  async keep(path: string): Promise<void> {
    const text = JSON.stringify({ pid: this.pid, started: this.#started, boot: bootId() });
    await writePrivate(path, text).catch(() => {});
  }

  get alive(): boolean {
    return startOf(this.pid) === this.#started;
  }

  /** Empty once it has ended. */
  get argv(): string[] {
    try {
      return readFileSync(`/proc/${this.pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    } catch {
      return [];
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.alive) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It has just ended.
    }
  }
}

/** When a process began; undefined: it has ended, even if its parent hasn't reaped it. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Its name, in brackets, may contain any character.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

function mountNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}
