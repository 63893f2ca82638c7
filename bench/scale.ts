/**
 * A cluster of 1,000 hosts and 100,000 containers, simulated without engines on one real etcd; what a host then has
 * in its memory, its kernel and its name server: `npm run bench:scale [-- --hosts N --containers N]`.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cluster, type Node } from '../test/netns/datapath-lab.ts';
import { Etcd } from '../test/support/etcd.ts';
import { nameServerRates } from './scale/name-server.ts';
import { Worker } from './scale/worker.ts';
import { median, quantile, table } from './statistics.ts';

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '1000' },
    containers: { type: 'string', default: '100000' },
    /** starts a second while changes are measured */
    rate: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
  },
});
const hosts = Number(values.hosts);
const each = Math.ceil(Number(values.containers) / hosts);
const containers = each * hosts;
const churn = { rate: Number(values.rate), seconds: Number(values.seconds) };
/** Hosts that join at a time: more than one process can do at once would only run into its own timeouts. */
const width = 32;

const rows: [what: string, figure: string][] = [];
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const say = (what: string, figure: string) => {
  console.error(`${what}: ${figure}`);
  rows.push([what, figure]);
};

await store();
await kernel();
for (const { names, rate } of await nameServerRates([1_000, containers]))
  say(`name server, ${names} names`, `${rate.toFixed(0)} queries/s`);
console.log(`\n${hosts} hosts, ${containers} containers\n`);
console.log(table(['what', 'figure'], rows));

/** What etcd does for a cluster of that size, and what it costs a host to follow it. */
async function store(): Promise<void> {
  await using etcd = await Etcd.start();
  const { endpoints } = etcd;
  await using simulated = new Worker('./hosts.ts');
  const joined = await simulated.call<number>('join', { endpoints, first: 1, count: hosts, width });
  say(`all hosts join, ${width} at a time`, `${joined.toFixed(0)} s`);
  const filled = await simulated.call<number>('fill', each);
  say('all containers start', `${filled.toFixed(0)} s, ${(containers / filled).toFixed(0)} a second`);

  await using view = new Worker('./view.ts');
  const begun = await figuresOf(etcd);
  const known = await view.call<{ seconds: number; list: number; heap: number; rss: number }>('join', {
    endpoints,
    number: hosts + 1,
    containers,
  });
  const sent = (await figuresOf(etcd)).sent - begun.sent;
  say('a new host knows all', `${known.seconds.toFixed(1)} s, ${mib(sent)} of etcd's`);
  say('its memory for that', `heap ${mib(known.heap)}, RSS ${mib(known.rss)}`);
  say('it lists all names', `${known.list.toFixed(0)} ms`);
  say('etcd', `database ${mib(begun.database)}, RSS ${mib(begun.memory)}`);

  await using listeners = new Worker('./listeners.ts');
  await listeners.call('listen', { endpoints, count: hosts - 1 });
  const listening = await figuresOf(etcd);
  say('etcd with all hosts listening', `RSS ${mib(listening.memory)}`);
  await view.call('begin');
  await listeners.call('begin');
  const { started, commits } = await simulated.call<{ started: number; commits: number }>('churn', churn);
  await delay(3_000);
  const here = await view.call<{ latencies: number[]; events: number }>('end');
  const everywhere = await listeners.call<{ latencies: number[]; events: number; starts: number }>('end');
  const after = await figuresOf(etcd);
  const told = (after.sent - listening.sent) / (everywhere.events + here.events);
  const cost = (after.cpu - listening.cpu) / (everywhere.events + here.events);
  say(`${churn.rate} starts and as many ends a second`, `${started} starts, ${commits} writes`);
  say('a change to one host', `${told.toFixed(0)} bytes, ${(cost * 1e6).toFixed(0)} us of etcd's processor`);
  const ms = (figures: number[]) =>
    `p50 ${median(figures).toFixed(0)} ms, p99 ${quantile(figures, 0.99).toFixed(0)} ms`;
  say('until one host knows of a start', ms(here.latencies));
  say(
    `until all ${hosts} know of it`,
    `${ms(everywhere.latencies)} (${everywhere.latencies.length} of ${everywhere.starts} starts)`,
  );
  const perCore = 1 / (cost * hosts);
  say('changes that a core of etcd tells all hosts', `${perCore.toFixed(0)} a second, computed`);
}

/** What the kernel of one host takes, by our own code on a real VXLAN link. */
async function kernel(): Promise<void> {
  await using cluster = await Cluster.create({}, {});
  const [one, two] = cluster.nodes as [Node, Node];
  const before = await slab();
  const all = { count: containers, peer: two.name };
  const programmed = await one.call<{ seconds: number; before: number; after: number }>('many', all);
  const entries = `${3 * containers} entries`;
  say(`kernel: ${entries} of ${containers} containers`, `${programmed.seconds.toFixed(1)} s`);
  say(
    'kernel: memory',
    `${mib((await slab()) - before)}; the daemon's RSS grows by ${mib(programmed.after - programmed.before)}`,
  );
  const changes: number[] = [];
  for (let i = 0; i < 200; i++) {
    const began = performance.now();
    await one.call('putRemote', { mac: '06:ff:00:00:00:01', ips: [`10.47.0.${i + 1}`], peer: two.name });
    changes.push(performance.now() - began);
  }
  say('kernel: one change among them', `p50 ${median(changes).toFixed(1)} ms`);
}

/** Bytes that the kernel has in its slabs. */
async function slab(): Promise<number> {
  return Number(/^Slab: +(\d+)/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]) * 1024;
}

/** What etcd says of itself. Bytes, and s. */
async function figuresOf({ endpoints }: Etcd) {
  const lines = (await (await fetch(`${endpoints[0]}/metrics`)).text()).split('\n');
  const figure = (name: string) => Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
  return {
    cpu: figure('process_cpu_seconds_total'),
    memory: figure('process_resident_memory_bytes'),
    database: figure('etcd_mvcc_db_total_size_in_bytes'),
    sent: figure('etcd_network_client_grpc_sent_bytes_total'),
  };
}
