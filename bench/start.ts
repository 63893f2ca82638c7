// What weavets adds to `docker run --rm busybox true`: run through the proxy and directly, in turn, and where the
// milliseconds go, told by the engine's events. `npm run bench:start [-- PAIRS]`
import assert from 'node:assert/strict';
import { Host } from '../test/support/host.ts';

interface EngineEvent {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: { container?: string } };
  timeNano: number;
}

/** Stages of a run, by what ends them. */
const stages = ['create', 'attach', 'connect', 'start', 'die', 'destroy', 'exit'] as const;
type Stage = (typeof stages)[number];
type Timeline = Record<Stage, number>;

const pairs = Number(process.argv[2] ?? 20);
const ways = { direct: 'unix:///var/run/docker.sock', weavets: 'unix:///var/run/weave/weave.sock' } as const;
type Way = keyof typeof ways;

await using host = await Host.create();
const launched = await host.weavets('launch');
assert.equal(launched.code, 0, launched.stderr);

const events: EngineEvent[] = [];
const follower = host.spawn(['docker', '-H', ways.direct, 'events', '--format', '{{json .}}']);
let rest = '';
follower.stdout?.on('data', (data) => {
  const lines = (rest + String(data)).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) events.push(JSON.parse(line) as EngineEvent);
});

const timelines: Record<Way, Timeline[]> = { direct: [], weavets: [] };
for (let pair = -2; pair < pairs; pair++) {
  const order: Way[] = pair % 2 === 0 ? ['direct', 'weavets'] : ['weavets', 'direct'];
  for (const way of order) {
    const timeline = await once(way);
    if (pair >= 0) timelines[way].push(timeline);
  }
}
follower.kill();
print();

async function once(way: Way): Promise<Timeline> {
  events.length = 0;
  const began = performance.timeOrigin + performance.now();
  const { code, stderr } = await host.run(['docker', '-H', ways[way], 'run', '--rm', 'busybox', 'true']);
  const exit = performance.timeOrigin + performance.now() - began;
  assert.equal(code, 0, stderr);
  while (!events.some(({ Action }) => Action === 'destroy'))
    await new Promise((resolve) => setImmediate(resolve));
  const at = (action: string) =>
    (events.find(({ Action }) => Action === action)?.timeNano ?? 0) / 1e6 - began;
  return {
    ...{ create: at('create'), attach: at('attach'), connect: at('connect'), start: at('start') },
    ...{ die: at('die'), destroy: at('destroy'), exit },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function print(): void {
  console.log(
    `docker run --rm busybox true, ${pairs} pairs in turn, medians in ms from the command's start\n`,
  );
  console.log('| until | direct | weavets | added by the stage |\n|---|---|---|---|');
  let before = 0;
  for (const stage of stages) {
    const [direct, ours] = (['direct', 'weavets'] as const).map((way) =>
      median(timelines[way].map((timeline) => timeline[stage])),
    ) as [number, number];
    const added = ours - direct - before;
    before = ours - direct;
    console.log(`| ${stage} | ${direct.toFixed(0)} | ${ours.toFixed(0)} | ${added.toFixed(1)} |`);
  }
  const ratios = timelines.weavets.map((ours, i) => ours.exit / (timelines.direct[i]?.exit ?? Number.NaN));
  const exits = (way: Way) => timelines[way].map(({ exit }) => exit);
  const ratio = median(exits('weavets')) / median(exits('direct'));
  console.log(`\nratio of medians ${ratio.toFixed(3)}, median of ratios ${median(ratios).toFixed(3)}`);
  console.log(`added: ${(median(exits('weavets')) - median(exits('direct'))).toFixed(1)} ms`);
}
