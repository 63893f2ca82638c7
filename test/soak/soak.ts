import { type Host, until } from '../support/host.ts';
import { Clients } from './clients.ts';
import { call, type Sample, Watch } from './watch.ts';

/** How long, and beside which clients. */
export interface SoakOptions {
  /** containers that are created, started and removed through the proxy */
  starts: number;
  /** idle clients, and as many slow ones */
  clients: number;
  /** starts side by side; default 4 */
  width?: number;
  /** called ten times, and at the beginning */
  onSample?: (sample: Sample) => void;
}

/** Allowed growth from halfway to the end. */
const allowed = { rss: 15, heap: 10, descriptors: 8, warnings: 0 };
/** ms for an answer, with everything under way */
const slowest = 1_000;

/** Starts containers beside clients that hold their connections. @returns what grew or was slow */
export async function soak(host: Host, pid: string, options: SoakOptions): Promise<string[]> {
  const { starts, clients: count, width = 4, onSample = () => {} } = options;
  const proxy = host.socketPath('proxy');
  using _clients = await Clients.connect(proxy, count);
  using watch = new Watch(host, pid);
  const samples: Sample[] = [];
  const look = async (done: number) => {
    const sample = await watch.sample(done, 2 * count);
    samples.push(sample);
    onSample(sample);
  };
  // The kernel has them connected before the daemon takes them.
  await until('the daemon has taken all clients', async () => (await watch.descriptors()) >= 2 * count);
  await look(0);
  const parts = 10;
  for (let part = 1; part <= parts; part++) {
    const upTo = Math.round((starts * part) / parts);
    const queue = Array.from({ length: upTo - Math.round((starts * (part - 1)) / parts) }).keys();
    const worker = async () => {
      for (const _ of queue) await startOne(proxy);
    };
    await Promise.all(Array.from({ length: width }, worker));
    await look(upTo);
  }
  return complaints(samples);
}

async function startOne(proxy: string): Promise<void> {
  const body = '{"Image":"busybox","Cmd":["true"]}';
  const { Id } = JSON.parse(
    await call(proxy, { method: 'POST', path: '/containers/create', body, status: 201 }),
  );
  await call(proxy, { method: 'POST', path: `/containers/${Id}/start`, status: 204 });
  await call(proxy, { method: 'POST', path: `/containers/${Id}/wait`, status: 200 });
  await call(proxy, { method: 'DELETE', path: `/containers/${Id}?force=1`, status: 204 });
}

/** From halfway on nothing may grow: until then V8 and libraries take what they keep. */
function complaints(samples: readonly Sample[]): string[] {
  const half = samples.slice(samples.length >> 1);
  const early = half.slice(0, 3);
  const late = half.slice(-3);
  const grown = Object.entries(allowed).flatMap(([name, more]) => {
    const of = (list: readonly Sample[]) =>
      median(list.map((sample) => sample[name as keyof typeof allowed]));
    const [before, after] = [of(early), of(late)];
    return after > before + more ? [`${name} grew from ${before} to ${after}`] : [];
  });
  const slow = samples.flatMap(({ proxied, status, starts }) =>
    Math.max(proxied, status) > slowest
      ? [`an answer took ${Math.max(proxied, status)} ms after ${starts} starts`]
      : [],
  );
  return [...grown, ...slow];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
