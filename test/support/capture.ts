import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Host } from './host.ts';
import { until } from './until.ts';

/** Captures the packets on an interface of a host. */
export class Capture {
  readonly #host: Host;
  readonly #child: ChildProcess;
  readonly #pid: string;
  readonly #chunks: Buffer[] = [];
  /** what tcpdump last said */
  #said = '';

  private constructor(host: Host, child: ChildProcess, pid: string) {
    this.#host = host;
    this.#child = child;
    this.#pid = pid;
    child.stdout?.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
  }

  /** Resolves when packets are being captured; `argv` wraps tcpdump, to run it in a container. */
  static async start(
    host: Host,
    link: string,
    filter: string,
    wrap: (argv: string[]) => string[] = (argv) => argv,
  ): Promise<Capture> {
    const tcpdump = ['tcpdump', '-i', link, '-U', '-w', '-', '--immediate-mode', filter];
    const child = host.spawn(wrap(['sh', '-c', 'echo $$ >&2; exec "$0" "$@"', ...tcpdump]));
    if (child.stderr === null) throw new Error('no stderr');
    const lines = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
    const capture = new Capture(host, child, (await lines.next()).value as string);
    for (let line = await lines.next(); !line.done; line = await lines.next()) {
      if (!/listening on/.test(line.value)) continue;
      void capture.#listen(lines);
      return capture;
    }
    throw new Error('tcpdump has ended');
  }

  /** Waits until all packets are captured, and ends. @returns the packets, from their Ethernet header on */
  async stop(): Promise<Buffer[]> {
    let last = '';
    let looks = 0;
    await until('tcpdump has read what the kernel has for it', async () => {
      if (await this.#drained()) return true;
      // What came before the filter was in place has been counted, and is never captured.
      looks = this.#said === last ? looks + 1 : 0;
      last = this.#said;
      return looks === 5;
    });
    const ended = once(this.#child, 'close');
    await this.#host.runOk(['kill', '-INT', this.#pid]);
    await ended;
    return this.packets();
  }

  /** It has read as many as passed the filter: packets still queued on a busy machine would be lost at its end. */
  async #drained(): Promise<boolean> {
    this.#said = '';
    await this.#host.runOk(['kill', '-USR1', this.#pid]);
    await until('tcpdump counts', () => this.#said.includes('received by filter'));
    const [, captured, received] = /(\d+) packets? captured, (\d+) packets? received/.exec(this.#said) ?? [];
    return captured === received;
  }

  async #listen(lines: AsyncIterator<string>): Promise<void> {
    for (let line = await lines.next(); !line.done; line = await lines.next()) this.#said = line.value;
  }

  /** Those that have come so far. */
  packets(): Buffer[] {
    const file = Buffer.concat(this.#chunks);
    const packets: Buffer[] = [];
    for (let at = 24; at + 16 <= file.length; ) {
      const length = file.readUInt32LE(at + 8);
      packets.push(file.subarray(at + 16, at + 16 + length));
      at += 16 + length;
    }
    return packets;
  }
}
