/**
 * Our name server against dnsmasq, on loopback addresses of their own, in turn: `npm run bench:dns`.
 * Needs dnsperf and dnsmasq (Debian: dnsperf, dnsmasq-base). Ends with 1 when we are slower than wanted.
 */
import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NameTable } from '../src/dns/names.ts';
import { DnsServer } from '../src/dns/server.ts';
import { runOk } from '../src/lib/exec.ts';
import { silent } from '../src/lib/log.ts';
import { until } from '../test/support/host.ts';

const wantedRatio = 0.5;
const rounds = 5;
const port = 5453;
const sides = [
  { name: 'weavets', address: '127.77.0.1' },
  { name: 'dnsmasq', address: '127.77.0.2' },
] as const;
type Side = (typeof sides)[number]['name'];

const directory = await mkdtemp(join(tmpdir(), 'bench-dns-'));
const queries = join(directory, 'queries');
const hosts = join(directory, 'hosts');
const names = new NameTable();
const records = Array.from({ length: 1_000 }, (_, i) => ({
  hostname: `container${i}.weave.local.`,
  address: `10.32.${i >> 8}.${i & 255}`,
  containerId: String(i),
  origin: 'here',
}));
for (const record of records) names.add(record);
await writeFile(queries, records.map((r) => `${r.hostname} A\n`).join(''));
await writeFile(hosts, records.map((r) => `${r.address} ${r.hostname.slice(0, -1)}\n`).join(''));

const server = await DnsServer.listen({
  addresses: [sides[0].address],
  port,
  domain: 'weave.local.',
  ttl: 1,
  self: 'here',
  names,
  hosts: { find: () => [] },
  askers: { of: () => undefined },
  upstream: { forward: async () => null },
  logger: silent,
});
const dnsmasq = spawn(
  'dnsmasq',
  [
    ...[
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      `--addn-hosts=${hosts}`,
    ],
    ...[`--listen-address=${sides[1].address}`, `--port=${port}`, '--bind-interfaces', '--local-ttl=1'],
    ...['--user=root', '--pid-file='],
  ],
  { stdio: 'inherit' },
);

try {
  const resolver = new Resolver();
  resolver.setServers([`${sides[1].address}:${port}`]);
  await until('dnsmasq answers', () =>
    resolver.resolve4('container0.weave.local').then(Boolean, () => false),
  );
  const rates: Record<Side, number[]> = { weavets: [], dnsmasq: [] };
  const latencies: Record<Side, number[]> = { weavets: [], dnsmasq: [] };
  for (let round = 0; round < rounds; round++) {
    for (const { name, address } of sides) {
      rates[name].push(await rate(address));
      latencies[name].push(...(await roundTrips(address)));
    }
  }
  for (const list of [...Object.values(rates), ...Object.values(latencies)]) list.sort((a, b) => a - b);
  console.log(
    `1,000 names, UDP, ${rounds} rounds in turn: rate at full load (median), latency at 2,000 queries/s`,
  );
  console.log('          queries/s     p50 us     p99 us');
  for (const { name } of sides) {
    const columns = [at(rates[name], 0.5), at(latencies[name], 0.5), at(latencies[name], 0.99)];
    console.log(name.padEnd(8) + columns.map((value) => value.toFixed(0).padStart(11)).join(''));
  }
  const ratio = at(rates.weavets, 0.5) / at(rates.dnsmasq, 0.5);
  console.log(`ratio ${ratio.toFixed(2)}, wanted ${wantedRatio}`);
  process.exitCode = ratio >= wantedRatio ? 0 : 1;
} finally {
  dnsmasq.kill();
  await server.close();
  await rm(directory, { recursive: true });
}

/** Queries a second, with 50 outstanding all the time. */
async function rate(address: string): Promise<number> {
  const out = await dnsperf(address, ['-l', '3', '-c', '4', '-q', '50']);
  if (!/Queries lost: +0 /.test(out)) console.error(`${address} lost queries:\n${out}`);
  return Number(/Queries per second: +([\d.]+)/.exec(out)?.[1]);
}

/** Microseconds that each answer took. */
async function roundTrips(address: string): Promise<number[]> {
  const out = await dnsperf(address, ['-v', '-Q', '2000', '-l', '2']);
  return Array.from(out.matchAll(/^> NOERROR .* ([\d.]+)$/gm), (match) => Number(match[1]) * 1e6);
}

function dnsperf(address: string, args: string[]): Promise<string> {
  return runOk(['dnsperf', '-s', address, '-p', String(port), '-d', queries, ...args], { deadline: null });
}

/** Quantile of a sorted list. */
function at(sorted: number[], quantile: number): number {
  return sorted[Math.floor((sorted.length - 1) * quantile)] ?? Number.NaN;
}
