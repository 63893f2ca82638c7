/** `npm run model [-- --runs N --seed S]`: addresses under partitions, replaced hosts, restored stores and the like. */
import { parseArgs } from 'node:util';
import { checkHistories } from './check.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const counts = new Map<string, number>();
let played = 0;
console.log(`seed ${values.seed}`);
await checkHistories({ runs: Number(values.runs), seed: Number(values.seed) }, (actions) => {
  for (const action of actions) counts.set(action, (counts.get(action) ?? 0) + 1);
  if (++played % 100 === 0) console.log(`${played} histories`);
});
console.log(`${played} histories without a violation; of these with`, Object.fromEntries(counts));
