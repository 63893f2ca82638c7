// `npm run soak -- [--starts N] [--clients M]`: starts containers on a host of the laboratory, beside idle and slow
// clients, and prints how the daemon is as it goes; ends with 1 if something grows, or answers come late.
import { parseArgs } from 'node:util';
import { Host } from '../support/host.ts';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: { starts: { type: 'string', default: '5000' }, clients: { type: 'string', default: '1000' } },
});
await using host = await Host.create({ suite: 'sid' });
const pid = await host.launch();
console.log('starts  rss MiB  heap MiB  descriptors  warnings  proxied ms  status ms');
const complaints = await soak(host, pid, {
  starts: Number(values.starts),
  clients: Number(values.clients),
  onSample: ({ starts, rss, heap, descriptors, warnings, proxied, status }) =>
    console.log(
      [
        String(starts).padStart(6),
        String(rss).padStart(7),
        String(heap).padStart(8),
        String(descriptors).padStart(11),
        String(warnings).padStart(8),
        String(proxied).padStart(10),
        String(status).padStart(9),
      ].join('  '),
    ),
});
for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
