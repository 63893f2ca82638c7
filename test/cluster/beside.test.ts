/** Two hosts of one network whose versions differ, upgraded one after the other while containers run. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, weavets as today, Underlay, until } from '../support/host.ts';
import { OtherVersion } from '../support/other-version.ts';
import { firstEngine } from '../support/use-host.ts';
import { askEtcd, known, reaches, reportOf, startNew, weavets } from './lab.ts';

let underlay: Underlay;
let one: Host;
let two: Host;
let earlier: OtherVersion;
let later: OtherVersion;
/** name to address of all containers */
const given = new Map<string, string>();

before(async () => {
  underlay = await Underlay.create();
  const { suite } = firstEngine;
  one = new Host({ underlay, number: 1, name: 'host1', suite });
  two = new Host({ underlay, number: 2, name: 'host2', suite });
  earlier = await OtherVersion.earlier();
  later = await OtherVersion.later();
  await Promise.all([one, two].map((host) => host.start()));
});
after(async () => {
  for (const host of [one, two]) await host?.[Symbol.asyncDispose]();
  for (const version of [earlier, later]) await version?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

/** Launches a version's daemon, in place of the one that runs. */
async function upgrade(on: Host, program: string): Promise<void> {
  assert.equal((await on.weavets('stop')).code, 0);
  await on.runOk([program, 'launch', '--resume']);
}

const run = (on: Host, name: string) => startNew(on, name, given);

/** What the hosts share, by key. */
async function shared(prefix: string): Promise<string> {
  const { code, stdout, stderr } = await askEtcd(one, one, 'get', '--prefix', `/weavets/${prefix}`);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** All names are known on both hosts, and all containers reach those of the other host by name. */
async function allTalk(): Promise<void> {
  for (const [name, address] of given) await known([one, two], name, address);
  const names = async (on: Host) => (await on.docker('ps', '--format', '{{.Names}}')).split('\n');
  const [ofOne, ofTwo] = [await names(one), await names(two)];
  for (const from of ofOne) for (const to of ofTwo) await reaches(one, from, to);
  for (const from of ofTwo) for (const to of ofOne) await reaches(two, from, to);
  for (const on of [one, two])
    await until(`all is well on ${on.name}`, async () => (await reportOf(on)).Conditions.length === 0);
}

test('a host of this version joins one of an earlier version', async () => {
  await one.runOk([earlier.weavets, 'launch']);
  await run(one, 'first');
  const token = /launch --join (\S+)/.exec(await weavets(one, 'cluster', 'init'))?.[1] ?? '';
  await weavets(two, 'launch', '--join', token);
  await run(two, 'second');
  const hosts = await shared('host/');
  assert.match(hosts, new RegExp(`"version":"${earlier.version}"`));
  assert.equal(hosts.match(/"probes":true/g)?.length, 1, 'that of this version');
  await allTalk();
});

test('the other is upgraded to a later version: each knows what the other starts and removes', async () => {
  await upgrade(one, later.weavets);
  await run(one, 'third');
  await run(two, 'fourth');
  assert.match(await shared('link/'), /"later":/);
  await allTalk();
  for (const [on, name] of [
    [one, 'third'],
    [two, 'fourth'],
  ] as const) {
    await on.docker('rm', '-f', name);
    given.delete(name);
    await known([one, two], name, '');
  }
});

test('restarted, this version leaves to the later one what it does not know', async () => {
  assert.match(await shared('cluster/settings'), /"later":/);
  await upgrade(two, today);
  assert.match(await shared('cluster/settings'), /"later":/);
  await allTalk();
});

test('a host of this version joins one of a later version; then both are that', async () => {
  await two.removeContainers();
  given.delete('second');
  await weavets(two, 'reset', '--force');
  const token = /launch --join (\S+)/.exec(await weavets(one, 'cluster', 'token'))?.[1] ?? '';
  await weavets(two, 'launch', '--join', token);
  await run(two, 'again');
  await allTalk();
  await upgrade(two, later.weavets);
  await allTalk();
  assert.doesNotMatch(await shared('host/'), new RegExp(earlier.version));
});
