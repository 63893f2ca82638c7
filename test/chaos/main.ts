// `npm run chaos -- [--faults N] [--seed S] [--step K] [--limit S] [--busy]`: makes one fault after another on three hosts with their engines
// and the cluster's own etcd, while containers come and go; ends with 1 if anything is not right soon after one.
// `--limit S` is the seconds in which it has to be, with `--busy` on an idle machine, and longer on a busy one;
// `--step K` makes only that one of a seed's faults.
import { parseArgs } from 'node:util';
import { outcomesOf } from './chaos.ts';
import { faults } from './faults.ts';
import { linesOf, type Outcome, seconds } from './outcome.ts';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: String(faults.length) },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    step: { type: 'string' },
    limit: { type: 'string', default: '10' },
    busy: { type: 'boolean', default: false },
  },
});
const { seed } = values;
const first = Number(values.step ?? 1);
const last = values.step === undefined ? Number(values.faults) : first;

// The hosts are taken down after the fault that is under way.
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (stopped = true));

console.log(`seed ${seed}`);
const outcomes: Outcome[] = [];
for await (const outcome of outcomesOf({
  seed,
  first,
  last,
  limit: Number(values.limit),
  busy: values.busy,
})) {
  outcomes.push(outcome);
  for (const line of linesOf(seed, outcome)) console.log(line);
  if (stopped) break;
}

console.log(`\nseed ${seed}: ${outcomes.length} faults`);
for (const { name } of faults) {
  const of = outcomes.filter(({ fault }) => fault === name);
  if (of.length === 0) continue;
  const times = of.map(({ right }) => right).toSorted((one, other) => one - other);
  const [median = 0, longest = 0] = [times[times.length >> 1], times.at(-1)];
  console.log(
    `${String(of.length).padStart(5)}  ${name.padEnd(19)}  right after ${seconds(median)}, at most ${seconds(longest)}`,
  );
}
const violated = outcomes.filter(({ violations, broken }) => violations.length > 0 || broken);
console.log(`violations: ${violated.length}`);
for (const { step, fault, machine } of violated)
  console.log(`  --seed ${seed} --step ${step}: ${fault} on ${machine}`);
process.exitCode = violated.length > 0 ? 1 : 0;
