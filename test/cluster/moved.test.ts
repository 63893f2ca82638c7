/** Two hosts whose cluster moves from an etcd of the user's own to one that weavets runs, and on to another. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Etcd } from '../support/etcd.ts';
import { Host, Underlay, until } from '../support/host.ts';
import { daemonOf, known, launch, reaches, refused, reportOf, startNew, storeOf, weavets } from './lab.ts';

let underlay: Underlay;
let one: Host;
let two: Host;
let first: Etcd;
let second: Etcd;
/** container to its address */
const given = new Map<string, string>();

before(async () => {
  underlay = await Underlay.create();
  one = new Host({ underlay, number: 1, name: 'host1' });
  two = new Host({ underlay, number: 2, name: 'host2' });
  await Promise.all([one, two].map((host) => host.start()));
  const at = { netns: underlay.netns, address: '10.250.0.254' };
  first = await Etcd.start({ at });
  second = await Etcd.start({ at, tls: true });
  await second.enableUsers('secret two');
  for (const host of [one, two]) await host.shell("echo 'weavets:secret two' > /root/etcd-user");
});
after(async () => {
  for (const etcd of [first, second]) await etcd?.[Symbol.asyncDispose]();
  for (const host of [one, two]) await host?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

const run = (on: Host, name: string) => startNew(on, name, given);

/** Pings five times a second until it is ended, which tells how many in a row had no answer. */
function watch(on: Host, from: string, address: string) {
  const pinging = on.spawn(['docker', 'exec', from, 'ping', '-i', '0.2', address]);
  let text = '';
  pinging.stdout?.on('data', (more) => {
    text += more;
  });
  const answered = () => [...text.matchAll(/seq=(\d+)/g)].map(([, number]) => Number(number));
  return {
    begun: () => until('pings are answered', () => answered().length > 5),
    async end(): Promise<number> {
      const last = answered().at(-1) ?? 0;
      await until('pings are answered again', () => (answered().at(-1) ?? 0) > last + 5);
      await on.shell(`kill $(pgrep -f 'ping -i 0.2 ${address}')`);
      const numbers = answered();
      return Math.max(...numbers.map((number, i) => number - (numbers[i - 1] ?? number - 1) - 1));
    },
  };
}

const access = () => {
  const { ca, cert, key } = second.files;
  return ['--etcd-cacert', ca, '--etcd-cert', cert, '--etcd-key', key, '--etcd-user-file', '/root/etcd-user'];
};

test('from an etcd of the user’s own to one that weavets runs: what runs does not notice', async () => {
  for (const host of [one, two]) await launch(host, '--store', storeOf(first));
  await run(one, 'a1');
  const b2 = await run(two, 'b2');
  await reaches(one, 'a1', 'b2');
  const store = storeOf(first);
  await refused(one, ['cluster', 'init'], /part of a cluster already/);
  await refused(one, ['cluster', 'init', '--from', 'etcd://10.250.0.9'], /is not at etcd:\/\/10\.250\.0\.9/);
  await refused(
    one,
    ['cluster', 'init', '--from', store],
    /runs on other hosts.*10\.250\.0\.2.*weavets stop/,
  );

  await weavets(two, 'stop');
  const pings = watch(one, 'a1', b2);
  await pings.begun();
  const attached = one.spawn(['docker', '-H', one.proxySocket, 'exec', '-i', 'a1', 'cat']);
  let echoed = '';
  attached.stdout?.on('data', (text) => {
    echoed += text;
  });
  attached.stdin?.write('before\n');
  await until('the client is attached', () => echoed === 'before\n');
  const daemon = await daemonOf(one);

  const line = await weavets(one, 'cluster', 'init', '--from', store);
  const token = /^weavets launch --join (WVTS-1-\S+@10\.250\.0\.1)$/.exec(line)?.[1] ?? assert.fail(line);
  attached.stdin?.write('after\n');
  await until('the client goes on', () => echoed === 'before\nafter\n');
  attached.stdin?.end();
  assert.equal(await daemonOf(one), daemon, 'the daemon was started anew');
  const lost = await pings.end();
  assert.ok(lost < 5, `${lost} pings in a row were lost`);
  await run(one, 'a2');

  await refused(
    two,
    ['launch', '--store', store],
    /moved to one that weavets runs.*cluster token.*10\.250\.0\.1/,
  );
  await launch(two, '--join', token);
  await known([one, two], 'b2', b2);
  await known([one, two], 'a2', given.get('a2') ?? '');
  await run(two, 'b3');
  await reaches(two, 'b3', 'a1');
  // A unit may still have the flag.
  await weavets(one, 'stop');
  await launch(one, '--store', store);
  await known([two], 'a1', given.get('a1') ?? '');
  assert.match(await weavets(one, 'cluster', 'status'), /Joining: by token/);
});

test('and to another etcd of the user’s own', async () => {
  const store = storeOf(second).replace('etcd:', 'etcds:');
  const argv = ['cluster', 'init', '--from', 'weavets', '--store', store, ...access()];
  await refused(one, argv, /runs on other hosts/);
  await weavets(two, 'stop');
  const pings = watch(one, 'a1', given.get('b2') ?? '');
  await pings.begun();
  await weavets(one, ...argv);
  const lost = await pings.end();
  assert.ok(lost < 5, `${lost} pings in a row were lost`);
  await run(one, 'a3');
  assert.notEqual((await one.run(['test', '-e', '/var/lib/weave/etcd'])).code, 0);

  await launch(two, '--store', store, ...access());
  assert.notEqual((await two.run(['test', '-e', '/var/lib/weave/etcd'])).code, 0);
  await known([one, two], 'b2', given.get('b2') ?? '');
  await known([one, two], 'a3', given.get('a3') ?? '');
  await run(two, 'b4');
  await reaches(two, 'b4', 'a3');
  await weavets(one, 'stop');
  await refused(one, ['launch'], /this host's cluster is at etcds:/);
  await launch(one, '--store', store, ...access());
  await reaches(one, 'a1', 'b4');
  const owners = new Set((await reportOf(one)).IPAM?.Entries?.map(({ Peer }) => Peer));
  assert.equal(owners.size, 2);
});
