/** Three hosts, and no etcd but what weavets runs on them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Host, until } from '../support/host.ts';
import { crash, known, Lab, launch, reaches, start } from './lab.ts';

let lab: Lab;
const host = (number: number) => lab.host(number);
const others = (number: number) => lab.hosts.filter((each) => each !== host(number));
/** address to the container that was given it */
const given = new Map<string, string>();

before(async () => {
  lab = await Lab.create();
});
after(() => lab?.[Symbol.asyncDispose]());

/** Starts a container, whose address nobody else may have been given. */
async function run(on: Host, name: string): Promise<string> {
  const address = await start(on, name);
  assert.equal(given.get(address), undefined, `${address} is that of two containers`);
  given.set(address, name);
  return address;
}

/** The voters, as a host knows them. */
async function voters(on: Host): Promise<string[]> {
  const text = await on.runOk(['cat', '/var/lib/weave/etcd/cluster.json']);
  return (JSON.parse(text) as { endpoints: string[] }).endpoints;
}

async function etcdPid(on: Host): Promise<string> {
  const text = await on.runOk(['cat', '/var/lib/weave/etcd/etcd.pid']);
  return String((JSON.parse(text) as { pid: number }).pid);
}

const killEtcd = async (on: Host) => on.runOk(['kill', '-9', await etcdPid(on)]);

/** Resolves when the etcd of one of these hosts serves; a learner's does not. */
const serves = (...hosts: readonly Host[]) =>
  until(
    `the etcd of ${hosts.map(({ name }) => name).join(' or ')} serves`,
    async () => {
      for (const on of hosts) {
        const folder = '/var/lib/weave/etcd';
        const { code } = await on.run(
          [
            ...['etcdctl', '--endpoints', `https://${on.address}:6786`, '--cacert', `${folder}/ca.crt`],
            ...['--cert', `${folder}/client.crt`, '--key', `${folder}/client.key`, 'get', '/weavets/x'],
          ],
          { env: { ETCDCTL_API: '3' } },
        );
        if (code === 0) return true;
      }
      return false;
    },
    120_000,
  );

test('init, join, join: three voters, and what ran goes on', async () => {
  await launch(host(1));
  const before = await run(host(1), 'before');
  const init = await host(1).weavets('cluster', 'init');
  assert.equal(init.code, 0, init.stderr);
  const token = /launch --join (\S+)/.exec(init.stdout)?.[1] ?? assert.fail(init.stdout);
  assert.match((await host(1).weavets('ps', 'before')).stdout, new RegExp(before.replaceAll('.', '\\.')));
  await launch(host(2), '--join', token);
  await launch(host(3), '--join', token);
  for (const on of lab.hosts)
    await until(`${on.name} knows three voters`, async () => (await voters(on)).length === 3, 120_000);
  const [two, three] = [await run(host(2), 'two'), await run(host(3), 'three')];
  await known(lab.hosts, 'before', before);
  await known(lab.hosts, 'two', two);
  await known(lab.hosts, 'three', three);
  await reaches(host(2), 'two', before);
  await reaches(host(3), 'three', two);
});

test('each voter’s etcd and daemon killed in turn: the others start containers, and it comes back', async () => {
  for (const number of [1, 2, 3]) {
    await killEtcd(host(number));
    await crash(host(number));
    for (const on of others(number)) {
      const name = `without${number}-${on.name}`;
      const address = await run(on, name);
      await known(others(number), name, address);
    }
    await launch(host(number));
    await serves(host(number));
    await run(host(number), `again${number}`);
  }
});

test('all three at once, as in a power cut: everything comes back', async () => {
  for (const on of lab.hosts) {
    await killEtcd(on);
    await crash(on);
  }
  await Promise.all(lab.hosts.map((on) => launch(on)));
  for (const on of lab.hosts) {
    await serves(on);
    const name = `later-${on.name}`;
    await known(lab.hosts, name, await run(on, name));
  }
  await reaches(host(3), 'three', 'later-host1');
});

test('etcd outlives its daemon, and reset removes all of it', async () => {
  const pid = await etcdPid(host(3));
  assert.equal((await host(3).weavets('stop')).code, 0);
  await host(3).runOk(['kill', '-0', pid]);
  await host(3).removeContainers();
  const reset = await host(3).weavets('reset', '--force');
  assert.equal(reset.code, 0, reset.stderr);
  await until('its etcd has ended', async () => (await host(3).run(['kill', '-0', pid])).code !== 0);
  assert.notEqual((await host(3).run(['test', '-e', '/var/lib/weave/etcd'])).code, 0);
  // Two are left: one votes, so that the other may fail.
  for (const on of others(3))
    await until(`${on.name} knows one voter`, async () => (await voters(on)).length === 1, 120_000);
  await known(others(3), 'after', await run(host(1), 'after'));
});

test('either of two hosts may be lost: the other starts containers, which find and reach each other', async () => {
  for (const number of [1, 2]) {
    await killEtcd(host(number));
    await crash(host(number));
    const [on] = others(number).filter((each) => each !== host(3)) as [Host];
    const names = [`alone${number}a`, `alone${number}b`] as const;
    for (const name of names) await known([on], name, await run(on, name));
    await reaches(on, names[0], `${names[1]}.weave.local`);
    await launch(host(number));
    await serves(host(1), host(2));
  }
});
