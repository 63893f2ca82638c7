/** Connections that hear of every container as a host does, but keep nothing: a thousand fit in a process. */

import { Range } from 'etcd3';
import { EtcdSession } from '../../src/store/etcd/session.ts';
import { now, serve } from './worker.ts';

let events = 0;
let listening = 0;
/** By name of a started container: how many have heard of it, and ms until the last one had. */
let heard = new Map<string, { count: number; last: number }>();

serve({
  listen: async ({ endpoints, count }: { endpoints: string[]; count: number }) => {
    const { start, end } = Range.prefix('/weavets/link/');
    for (let i = 0; i < count; i++) {
      const session = new EtcdSession(endpoints[0] ?? '', {});
      const stream = await session.client.watchClient.watch();
      const created = new Promise<void>((resolve) => {
        stream.on('data', (answer) => {
          if (answer.created) resolve();
          for (const { kv } of answer.events) hear(kv.value);
        });
      });
      stream.write({ create_request: { key: start, range_end: end } });
      await created;
      listening++;
    }
  },
  begin: () => {
    events = 0;
    heard = new Map();
  },
  end: () => {
    const whole = [...heard.values()].filter(({ count }) => count === listening);
    return {
      events,
      starts: heard.size,
      latencies: whole.map(({ last }) => last),
    };
  },
});

function hear(value: Buffer): void {
  events++;
  const [name, sent] = /t([\d.]+)-\d+/.exec(value.toString()) ?? [];
  if (name === undefined) return;
  const entry = heard.get(name) ?? { count: 0, last: 0 };
  heard.set(name, { count: entry.count + 1, last: now() - Number(sent) });
}
