// `npm run fuzz -- [--seed S] [--count N] [TARGET...]`: tries random input on each door of the daemon. What fails is
// printed with the seed and the path that find it again.
import { parseArgs } from 'node:util';
import { Host } from '../support/host.ts';
import { fuzzControl } from './control.ts';
import { fuzzQueries, fuzzUpstream } from './dns.ts';
import { fuzzProxy } from './proxy.ts';
import { fuzzRecords } from './records.ts';
import type { FuzzOptions } from './target.ts';
import { fuzzTemplates } from './templates.ts';

const targets: Record<string, (options: FuzzOptions) => void | Promise<void>> = {
  templates: fuzzTemplates,
  records: fuzzRecords,
  queries: fuzzQueries,
  upstream: fuzzUpstream,
  control: fuzzControl,
  proxy: async (options) => {
    await using host = await Host.create({ suite: 'sid' });
    await host.launch();
    await fuzzProxy(options, { proxy: host.socketPath('proxy'), engine: host.socketPath('engine') });
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    count: { type: 'string', default: '10000' },
  },
});
const options = { seed: Number(values.seed), count: Number(values.count) };
for (const name of positionals.length > 0 ? positionals : Object.keys(targets)) {
  const fuzz = targets[name];
  if (fuzz === undefined) throw new Error(`no target ${name}; there are ${Object.keys(targets).join(', ')}`);
  const start = performance.now();
  await fuzz(options);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${name}: ${options.count} of seed ${options.seed} in ${seconds} s, nothing found`);
}
