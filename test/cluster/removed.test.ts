/** A host that is removed from a cluster whose etcd weavets runs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, Underlay, until } from '../support/host.ts';
import { askEtcd, crash, known, launch, reaches, start, weavets } from './lab.ts';

let underlay: Underlay;
let one: Host;
let two: Host;
const password = ['--password', 'correct horse'];

before(async () => {
  underlay = await Underlay.create();
  one = new Host({ underlay, number: 1, name: 'host1' });
  two = new Host({ underlay, number: 2, name: 'host2' });
  await Promise.all([one, two].map((host) => host.start()));
  await launch(one, ...password);
  await launch(two, ...password, one.address);
  await start(one, 'a1');
  await start(two, 'b2');
  await reaches(one, 'a1', 'b2');
});
after(async () => {
  for (const host of [one, two]) await host?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

const ask = (on: Host, ...argv: string[]) => askEtcd(on, one, ...argv);

test('its certificate neither reads nor writes, its password does not let it in; a token does', async () => {
  assert.equal((await ask(two, 'put', '/weavets/x', 'y')).code, 0);
  await crash(two);
  assert.match(
    await weavets(one, 'cluster', 'remove', '--force', 'host2'),
    /^[1-9]\d* IPs taken over from host2$/,
  );
  for (const argv of [
    ['get', '/weavets/cluster/settings'],
    ['put', '/weavets/x', 'z'],
  ])
    assert.match((await ask(two, ...argv)).stderr, /permission denied/);
  assert.equal((await ask(one, 'get', '/weavets/x', '--print-value-only')).stdout.trim(), 'y');

  // With what it has kept it comes up, but has no part in the cluster.
  await launch(two);
  const warned = async () => /was removed from its cluster.*weavets reset/.test(await weavets(two, 'status'));
  await until('it says that it was removed', warned);
  assert.match((await ask(two, 'get', '/weavets/x')).stderr, /permission denied/);
  await known([one], 'b2', '');
  await start(one, 'a2');

  await weavets(two, 'reset', '--force');
  const { code, stderr } = await two.weavets('launch', ...password, '--no-discovery', one.address);
  assert.equal(code, 1, 'its password let it in');
  assert.match(stderr, /was removed from this cluster.*cluster token/);
  await launch(two, '--join', (await weavets(one, 'cluster', 'token')).split(' ').at(-1) ?? '');
  await start(two, 'b3');
  await reaches(two, 'b3', 'a2');
});
