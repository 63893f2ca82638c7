import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Etcd } from '../support/etcd.ts';
import { type Host, until } from '../support/host.ts';
import { crash, etcdOn, known, Lab, launch, pings, refused, startNew, storeOf, weavets } from './lab.ts';

const state = '/var/lib/weave';
/** in the host's own folder: the rest of /var/lib is the machine's */
const copy = '/tmp/weave-copy';
let lab: Lab;
let etcd: Etcd;
let store: string;
const host = (number: number) => lab.host(number);
/** every container's address by its name: no two may be the same */
const given = new Map<string, string>();

before(async () => {
  lab = await Lab.create();
  etcd = await etcdOn(lab.underlay, { members: 1 });
  store = storeOf(etcd);
  await Promise.all(lab.hosts.map((on) => launch(on, '--store', store)));
});
after(async () => {
  await etcd?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** Replaces a host's state, while its daemon is not running, by what another had. */
function putState(from: Host, to: Host, folder: string): void {
  // The folder itself stays: it is mounted there.
  for (const name of readdirSync(to.path(state))) rmSync(join(to.path(state), name), { recursive: true });
  cpSync(from.path(folder), to.path(state), { recursive: true, preserveTimestamps: true });
}

/** Each running container has the address that it was given, as its host's `ps` and the container itself have it. */
async function keepTheirs(on: Host, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const wanted = given.get(name) ?? assert.fail(name);
    await until(`${name} is attached`, async () => (await weavets(on, 'ps', name)).includes(` ${wanted}/`));
    const inside = await on.docker('exec', name, 'ip', '-o', '-4', 'addr', 'show', 'ethwe');
    assert.match(inside, new RegExp(` ${wanted.replaceAll('.', '\\.')}/`));
  }
}

test('a state restored from an old copy gives no address twice', async () => {
  await startNew(host(1), 'a1', given);
  await startNew(host(2), 'b1', given);
  await weavets(host(1), 'stop');
  await host(1).runOk(['cp', '-a', state, copy]);
  await launch(host(1), '--store', store);
  for (const name of ['a2', 'a3']) await startNew(host(1), name, given);
  await host(1).docker('rm', '-f', 'a1');
  given.delete('a1');
  await startNew(host(1), 'a4', given);
  await crash(host(1));
  putState(host(1), host(1), copy);
  await launch(host(1), '--store', store);
  await keepTheirs(host(1), ['a2', 'a3', 'a4']);
  // Until all hosts have told what they have, a start may be refused.
  const isCalm = async () => !(await weavets(host(1), 'status')).includes('set back');
  await until('addresses are given as before', isCalm);
  for (const name of ['a5', 'a6', 'a7']) await startNew(host(1), name, given);
  await startNew(host(2), 'b2', given);
  await known([host(2)], 'a7', given.get('a7') ?? '');
  await until('traffic passes', () => pings(host(2), 'b2', 'a3'));
});

test('a host that is the copy of another gives no address twice', async () => {
  await startNew(host(3), 'c1', given);
  await host(3).docker('rm', '-f', 'c1');
  given.delete('c1');
  await weavets(host(1), 'stop');
  await weavets(host(3), 'stop');
  putState(host(1), host(3), state);
  await launch(host(1), '--store', store);
  await refused(
    host(3),
    ['launch', '--store', store],
    /has the name .* of this one; were they cloned\?.*--name/,
  );
  await launch(host(3), '--store', store, '--name', '02:00:00:00:00:33');
  await keepTheirs(host(1), ['a2', 'a3', 'a4', 'a5']);
  for (const name of ['c2', 'c3', 'c4']) await startNew(host(3), name, given);
  for (const name of ['a8', 'a9']) await startNew(host(1), name, given);
  await startNew(host(2), 'b3', given);
  await keepTheirs(host(2), ['b1', 'b2', 'b3']);
  await keepTheirs(host(3), ['c2', 'c3', 'c4']);
  await until('traffic passes', () => pings(host(3), 'c2', 'b3'));
});
