import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Host } from './host.ts';

/** What passes an interface of a host. */
export class Capture {
  readonly #host: Host;
  readonly #child: ChildProcess;
  readonly #pid: string;
  readonly #chunks: Buffer[] = [];

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
    for (let line = await lines.next(); !line.done; line = await lines.next())
      if (/listening on/.test(line.value)) return capture;
    throw new Error('tcpdump has ended');
  }

  /** @returns the packets, from their Ethernet header on */
  async stop(): Promise<Buffer[]> {
    const ended = once(this.#child, 'close');
    await this.#host.runOk(['kill', '-INT', this.#pid]);
    await ended;
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
