// Lab hosts to work in by hand: `npm run lab -- [HOSTS [trixie|sid|sid-podman]]` makes them, with the machine's own engine
// or another Debian's, prints how to enter, and takes them down at its end.
import { Host, type Suite, Underlay } from '../test/support/host.ts';

const count = Number(process.argv[2] ?? 1);
const suite = process.argv[3] as Suite | undefined;
const underlay = await Underlay.create();
const hosts: Host[] = [];
for (let number = 1; number <= count; number++) {
  const host = await Host.create({ underlay, number, name: `host${number}`, suite });
  hosts.push(host);
  console.log(`${host.name} ${host.address}: ${host.inside(['bash']).join(' ')}`);
}
console.log('Ctrl-C or SIGTERM takes everything down');
const keep = setInterval(() => {}, 1e9);
let stopping = false;
const stop = async () => {
  if (stopping) return;
  stopping = true;
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await underlay[Symbol.asyncDispose]();
  clearInterval(keep);
};
process.on('SIGINT', stop).on('SIGTERM', stop);
