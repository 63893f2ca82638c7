/** One host that knows all the others, in a process of its own, as the daemon does. */
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '../../src/cluster/registration.ts';
import { NameTable } from '../../src/dns/names.ts';
import { silent } from '../../src/lib/log.ts';
import { EtcdStore } from '../../src/store/etcd/etcd.ts';
import { noDatapath } from '../../test/support/no-datapath.ts';
import { addressOf, claimed, peerOf } from './made-up.ts';
import { memory, now, serve } from './worker.ts';

/** ms from a start to when it was known here. */
let latencies: number[] = [];
let events = 0;
const names = new NameTable();
const signal = new AbortController().signal;

/** Counts what the daemon would give to the kernel. */
const datapath = {
  ...noDatapath,
  putRemote: async ({ ips: [ip = ''] }: { ips: readonly string[] }) => {
    events++;
    const sent = /^t([\d.]+)-/.exec(names.hostnames(ip)[0] ?? '')?.[1];
    if (sent !== undefined) latencies.push(now() - Number(sent));
  },
  deleteRemote: async () => {
    events++;
  },
};

serve({
  /** @returns s until all is known, and bytes that it takes */
  join: async ({
    endpoints,
    number,
    containers,
  }: {
    endpoints: string[];
    number: number;
    containers: number;
  }) => {
    const before = memory();
    const began = now();
    const shared = await EtcdStore.connect({ endpoints, logger: silent });
    const self = {
      name: peerOf(number),
      id: peerOf(number),
      nickname: `view${number}`,
      address: addressOf(number),
    };
    const blocks = { suspend: () => {} };
    const parts = { shared, datapath, names, seal: null, self, version: '0', claim: claimed, blocks };
    const cluster = Cluster.join({
      ...{ ...parts, linkOf: () => undefined, owners: () => [], signal, logger: silent },
    });
    while (names.size < containers || cluster.peers().length === 0) await delay(2);
    const seconds = (now() - began) / 1000;
    const after = memory();
    const list = now();
    names.list();
    return { seconds, list: now() - list, heap: after.heap - before.heap, rss: after.rss - before.rss };
  },
  begin: () => {
    latencies = [];
    events = 0;
  },
  end: () => ({ latencies, events }),
});
