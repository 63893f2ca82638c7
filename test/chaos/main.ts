// `npm run chaos -- [--faults N] [--seed S] [--step K] [--limit S]`: makes one fault after another on three hosts with their engines
// and the cluster's own etcd, while containers come and go; ends with 1 if anything is not right soon after one.
// `--limit S` is the seconds in which it has to be; `--step K` makes only that one of a seed's faults.
import { parseArgs } from 'node:util';
import { Underlay } from '../support/host.ts';
import { Chaos, type Outcome } from './chaos.ts';
import { faults } from './faults.ts';
import { Cluster } from './machine.ts';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    step: { type: 'string' },
    limit: { type: 'string', default: '10' },
  },
});
const { seed } = values;
const first = Number(values.step ?? 1);
const last = values.step === undefined ? Number(values.faults) : first;

// The hosts are taken down after the fault that is under way.
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (stopped = true));

const seconds = (value: number) => `${value.toFixed(1)} s`.padStart(7);
const lineOf = ({ step, fault, machine, lasted, right, asked, failed }: Outcome) =>
  [
    String(step).padStart(5),
    fault.padEnd(18),
    machine,
    `for ${seconds(lasted)}`,
    `right after ${seconds(right)}`,
    `${failed} of ${asked} calls failed`,
  ].join('  ');

console.log(`seed ${seed}`);
const outcomes: Outcome[] = [];
{
  await using cluster = await Cluster.create(await Underlay.create());
  const chaos = await Chaos.create(cluster, seed, Number(values.limit));
  for (let step = first; step <= last && !stopped; step++) {
    const outcome = await chaos.step(step);
    outcomes.push(outcome);
    console.log(lineOf(outcome));
    for (const text of outcome.violations)
      console.log(`       VIOLATION (--seed ${seed} --step ${step}): ${text}`);
    if (outcome.broken) {
      console.log('       it does not become right: the end');
      break;
    }
  }
}

console.log(`\nseed ${seed}: ${outcomes.length} faults`);
for (const { name } of faults) {
  const of = outcomes.filter(({ fault }) => fault === name);
  if (of.length === 0) continue;
  const times = of.map(({ right }) => right).toSorted((one, other) => one - other);
  const [median = 0, longest = 0] = [times[times.length >> 1], times.at(-1)];
  console.log(
    `${String(of.length).padStart(5)}  ${name.padEnd(18)}  right after ${seconds(median)}, at most ${seconds(longest)}`,
  );
}
const violated = outcomes.filter(({ violations }) => violations.length > 0);
console.log(`violations: ${violated.length}`);
for (const { step, fault, machine } of violated)
  console.log(`  --seed ${seed} --step ${step}: ${fault} on ${machine}`);
process.exitCode = violated.length > 0 ? 1 : 0;
