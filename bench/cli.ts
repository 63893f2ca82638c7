/**
 * What commands take beside `node -e 0`, each in turn, on a host where weavets runs: `npm run bench:cli [rounds]`.
 * Ends with 1 when one takes more than twice as long.
 */
import { Host, weavets } from '../test/support/host.ts';
import { median } from './statistics.ts';

const wanted = 2;
const rounds = Number(process.argv[2] ?? 40);
const lines: Record<string, string[]> = {
  'node -e 0': ['-e', '0'],
  'weavets version': [weavets, 'version'],
  'weavets env': [weavets, 'env'],
  'weavets ps': [weavets, 'ps'],
  'weavets launch --help': [weavets, 'launch', '--help'],
};

/** Runs in the host, so that entering it costs nothing. */
const script = `
  const { spawnSync } = require('node:child_process');
  const lines = ${JSON.stringify(lines)};
  const times = Object.fromEntries(Object.keys(lines).map((name) => [name, []]));
  for (let round = 0; round < ${rounds}; round++) {
    for (const [name, argv] of Object.entries(lines)) {
      const start = performance.now();
      const { status } = spawnSync(process.execPath, argv, { stdio: 'ignore' });
      times[name].push(performance.now() - start);
      if (status !== 0) throw new Error(name + ': exit code ' + status);
    }
  }
  console.log(JSON.stringify(times));`;

await using host = await Host.create();
await host.launch();
const times = JSON.parse(await host.runOk([process.execPath, '-e', script])) as Record<string, number[]>;
const base = median(times['node -e 0'] ?? []);
for (const [name, all] of Object.entries(times)) {
  const ratio = median(all) / base;
  console.log(`${name.padEnd(22)} ${median(all).toFixed(0).padStart(4)} ms  ${ratio.toFixed(2)}`);
  if (ratio > wanted && !name.endsWith('--help')) process.exitCode = 1;
}
