// What weavets adds to `docker run`: one after the other, where the milliseconds go, many at once, and beside many.
// npm run bench:start -- [--pairs 15] [--suite sid|trixie] [--burst 60] [--width 8] [--rounds 2] [--beside N]
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { eachOf } from '../src/lib/lock.ts';
import { Host, type Suite } from '../test/support/host.ts';
import { Relay, requests } from './start/relay.ts';
import { Stages, stages } from './start/stages.ts';
import { median, table } from './statistics.ts';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '15' },
    suite: { type: 'string' },
    burst: { type: 'string', default: '60' },
    width: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '2' },
    beside: { type: 'string', default: '0' },
  },
});
const [pairs, burst, width] = [Number(values.pairs), Number(values.burst), Number(values.width)];
const [rounds, beside] = [Number(values.rounds), Number(values.beside)];

const ways = ['direct', 'weavets'] as const;
type Way = (typeof ways)[number];
/** Figures of both ways. */
type Both<T> = Record<Way, T[]>;
const both = <T>(): Both<T> => ({ direct: [], weavets: [] });
/** Both, in turn, the first of them another one each time. */
const inTurn = (turn: number): readonly Way[] => (turn % 2 === 0 ? ways : ways.toReversed());
const ratio = (ours: number, theirs: number) => (ours / theirs).toFixed(3);

await using host = await Host.create({ suite: values.suite as Suite | undefined });
const pid = await host.launch();
const sockets: Record<Way, string> = { direct: host.engineSocket, weavets: host.proxySocket };

console.log(`engine ${await host.docker('version', '-f', '{{.Server.Version}}')}\n`);
await onePerTime();
await byRequest();
const rows = [await bursts('none')];
if (beside > 0) {
  await start(beside, 'weavets', 'beside');
  rows.push(await bursts(String(beside)));
}
console.log(
  `\n${burst} \`docker run -d\`, ${width} at once, ${rounds} rounds in turn, sums over the rounds\n`,
);
const heads = ['attached beside', 'direct s', 'weavets s', 'direct per s', 'weavets per s'];
console.log(table([...heads, 'ratio', 'of rounds', 'attach ms p50', 'daemon RSS MB'], rows));

/** Pairs of `docker run --rm busybox true`, with the engine's events. */
async function onePerTime(): Promise<void> {
  await using events = await Stages.follow(host);
  const timelines = both<Record<(typeof stages)[number], number>>();
  for (let pair = -2; pair < pairs; pair++) {
    for (const way of inTurn(pair)) {
      const timeline = await events.timeline(() => run(sockets[way]));
      if (pair >= 0) timelines[way].push(timeline);
    }
  }
  console.log(
    `docker run --rm busybox true, ${pairs} pairs in turn, medians in ms from the command's start\n`,
  );
  let before = 0;
  const rows = stages.map((stage) => {
    const [direct = 0, ours = 0] = ways.map((way) => median(timelines[way].map((each) => each[stage])));
    const added = ours - direct - before;
    before = ours - direct;
    return [stage, direct.toFixed(0), ours.toFixed(0), added.toFixed(1)];
  });
  console.log(table(['until', 'direct', 'weavets', 'added by the stage'], rows));
  const [direct = [], ours = []] = ways.map((way) => timelines[way].map(({ exit }) => exit));
  const ratios = ours.map((each, i) => each / (direct[i] ?? Number.NaN));
  console.log(
    `\nratio of medians ${ratio(median(ours), median(direct))}, median of ratios ${median(ratios).toFixed(3)}, added ${(median(ours) - median(direct)).toFixed(1)} ms`,
  );
}

/** The same, seen by the client: when it sends each request, and when the answer begins. Both by way of a relay. */
async function byRequest(): Promise<void> {
  const seen = both<Map<string, number>>();
  for (const way of ways) {
    await using relay = await Relay.to(host.socketPath(way === 'direct' ? 'engine' : 'proxy'));
    for (let turn = -1; turn < pairs; turn++) {
      const times = await relay.times(() => run(`unix://${relay.path}`));
      if (turn >= 0) seen[way].push(times);
    }
  }
  const rows = requests.map((request) => {
    const cells = ways.map((way) => median(seen[way].map((times) => times.get(request) ?? Number.NaN)));
    const [direct = 0, ours = 0] = cells;
    return [request, direct.toFixed(0), ours.toFixed(0), (ours - direct).toFixed(1)];
  });
  console.log("\nthe client's requests, each way by itself through a relay, medians in ms from its start\n");
  console.log(table(['request', 'direct', 'weavets', 'later by'], rows));
}

interface Burst {
  seconds: number;
  /** ms that each attachment took, as the daemon's log has it */
  attached: number[];
}

/** Many at once, in turn. @returns the row of the table */
async function bursts(label: string): Promise<string[]> {
  const results = both<Burst>();
  await once('weavets', 'warm', width);
  for (let round = 0; round < rounds; round++)
    for (const way of inTurn(round)) results[way].push(await once(way, `burst${round}`, burst));
  const [theirs = 0, ours = 0] = ways.map((way) =>
    results[way].reduce((sum, { seconds }) => sum + seconds, 0),
  );
  const ratios = results.weavets
    .map(({ seconds }, i) => ratio(seconds, results.direct[i]?.seconds ?? Number.NaN))
    .toSorted();
  const rate = (seconds: number) => ((burst * rounds) / seconds).toFixed(1);
  const attach = median(results.weavets.flatMap(({ attached }) => attached));
  const memory = /^VmRSS:\s+(\d+) kB$/m.exec(await host.runOk(['cat', `/proc/${pid}/status`]))?.[1];
  return [
    ...[label, theirs.toFixed(1), ours.toFixed(1), rate(theirs), rate(ours), ratio(ours, theirs)],
    `${ratios[0]} to ${ratios.at(-1)}`,
    ...[attach.toFixed(0), (Number(memory) / 1024).toFixed(0)],
  ];
}

async function once(way: Way, name: string, count: number): Promise<Burst> {
  const logged = (await attachTimes()).length;
  const began = performance.now();
  const names = await start(count, way, name);
  const seconds = (performance.now() - began) / 1000;
  const attached = (await attachTimes()).slice(logged);
  await host.docker('rm', '-f', ...names);
  return { seconds, attached };
}

/** Starts containers, some at a time. @returns their names */
async function start(count: number, way: Way, name: string): Promise<string[]> {
  const names = Array.from({ length: count }, (_, i) => `${name}-${i}`);
  await eachOf(names, width, async (each) => {
    const argv = ['docker', '-H', sockets[way], 'run', '-d', '--name', each, 'busybox', 'sleep', '100000'];
    await host.runOk(argv);
  });
  return names;
}

/** How long each attachment took, ms, as the daemon's log has it. */
async function attachTimes(): Promise<number[]> {
  const log = await host.runOk(['cat', '/var/log/weavets.log']);
  return [...log.matchAll(/"ms":(\d+),"msg":"attached"/g)].map(([, ms]) => Number(ms));
}

async function run(socket: string): Promise<void> {
  const { code, stderr } = await host.run(['docker', '-H', socket, 'run', '--rm', 'busybox', 'true']);
  assert.equal(code, 0, stderr);
}
