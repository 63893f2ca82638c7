import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { Host } from '../support/host.ts';

/** A snapshot of the daemon. */
export interface Sample {
  starts: number;
  /** MiB */
  rss: number;
  /** MiB that JavaScript's objects took at least since the sample before: without garbage, if any was collected */
  heap: number;
  descriptors: number;
  /** of event listeners, warnings of too many */
  warnings: number;
  /** ms until the engine's ping came through the proxy; until the daemon's own status */
  proxied: number;
  status: number;
}

/** ms between looks at what garbage collection leaves */
const heapPause = 1_000;

/** Watches a daemon from outside, without asking it about what it may leak. */
export class Watch implements Disposable {
  readonly #host: Host;
  readonly #proc: string;
  #low = Number.POSITIVE_INFINITY;
  readonly #heapLooks: NodeJS.Timeout;

  /** @param pid of the daemon, on the host */
  constructor(host: Host, pid: string) {
    this.#host = host;
    this.#proc = host.path(`/proc/${pid}`);
    // Without an answer this time there is one the next.
    this.#heapLooks = setInterval(() => void this.#lookAtHeap().catch(() => {}), heapPause);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heapLooks);
  }

  async descriptors(): Promise<number> {
    return (await readdir(`${this.#proc}/fd`)).length;
  }

  async sample(starts: number, clients: number): Promise<Sample> {
    const status = await readFile(`${this.#proc}/status`, 'utf8');
    await this.#lookAtHeap();
    const heap = this.#low;
    this.#low = Number.POSITIVE_INFINITY;
    const log = await this.#host.run(['grep', '-c', 'MaxListenersExceeded', '/var/log/weavets.log']);
    return {
      starts,
      rss: Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024),
      heap: Math.round(heap / 2 ** 20),
      descriptors: (await this.descriptors()) - clients,
      warnings: Number(log.stdout),
      proxied: await timed(() => get(this.#host.socketPath('proxy'), '/_ping')),
      status: await timed(() => get(this.#host.path('/run/weave/control.sock'), '/status')),
    };
  }

  async #lookAtHeap(): Promise<void> {
    const metrics = await this.#host.runOk(['curl', '-s', '127.0.0.1:6782/metrics']);
    this.#low = Math.min(this.#low, Number(/^nodejs_heap_size_used_bytes (\d+)/m.exec(metrics)?.[1]));
  }
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return Math.round(performance.now() - start);
}

/** A call over a unix socket. @throws on a status other than that */
export function call(
  socketPath: string,
  { method, path, body, status }: { method: string; path: string; body?: string; status: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === status) resolve(text);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.trim()}`));
      });
    });
    sent.on('error', reject).end(body);
  });
}

const get = (socketPath: string, path: string) => call(socketPath, { method: 'GET', path, status: 200 });
