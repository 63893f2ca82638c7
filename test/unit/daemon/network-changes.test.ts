import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { History } from '../../../src/containers/history.ts';
import { NetworkChanges } from '../../../src/daemon/network-changes.ts';
import type { NetworkViewer } from '../../../src/daemon/network-viewer.ts';
import { silent } from '../../../src/lib/log.ts';
import { Conditions } from '../../../src/model/conditions.ts';
import type { ContainerView, DoctorView, HostView, NetworkChange } from '../../../src/report/network.ts';
import { LinkKey } from '../../../src/store/records/link.ts';
import { until } from '../../support/until.ts';

const id = (letter: string) => letter.repeat(64);
const container = (letter: string, name: string) => ({ id: id(letter), name }) as ContainerView;
const host = (name: string, alive = true) => ({ name, nickname: name, alive }) as HostView;

/** A network with one host and one container, and who follows it. */
function make(t: TestContext) {
  const parts = {
    hosts: [host('one')],
    containers: new Map([[id('a'), container('a', 'web')]]),
    looks: 0,
    settled: Promise.resolve(),
    doctor: { at: null, checks: [] } as DoctorView,
    visits: 0,
    told: [] as NetworkChange[],
    clients: { size: 1, publish: (_: string, data: unknown) => void parts.told.push(data as NetworkChange) },
    history: new History(),
    conditions: new Conditions({ logger: silent }),
  };
  const viewer = {
    about: { self: 'one' },
    hosts: () => parts.hosts,
    conditions: () => parts.conditions.list().map((each) => ({ ...each, since: each.since.getTime() })),
    healed: () => parts.conditions.listHealed(),
    doctor: () => parts.doctor,
    containers: async () => [...parts.containers.values()],
    container: async (which: string) => {
      parts.looks++;
      return parts.containers.get(which);
    },
    remote: ({ container: which }: LinkKey) => parts.containers.get(which),
  } as unknown as NetworkViewer;
  const { history, conditions, clients } = parts;
  const settled = () => parts.settled;
  const visited = () => void parts.visits++;
  const deps = { viewer, history, conditions, settled, visited, clients, logger: silent };
  const changes = new NetworkChanges(deps);
  t.after(() => changes.close());
  return { changes, parts };
}

const containersTold = (told: readonly NetworkChange[]) => told.flatMap(({ containers = [] }) => containers);

test("an event comes with the container's state, each change with a higher number", async (t) => {
  const { changes, parts } = make(t);
  changes.noticed({ action: 'start', id: id('a'), name: 'web' });
  await until('it is told', () => containersTold(parts.told).some(({ name }) => name === 'web'));
  assert.deepEqual(
    parts.told[0]?.events?.map(({ text }) => text),
    ['started'],
  );
  parts.containers.delete(id('a'));
  changes.noticed({ action: 'destroy', id: id('a') });
  await until('that it is gone is told', () =>
    parts.told.some((each) => each.containersGone?.includes(id('a'))),
  );
  const numbers = parts.told.map(({ sequence }) => sequence);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
  );
  assert.equal((await changes.view()).sequence, numbers.length);
});

test('a container is shown once the work its event began has ended, however long that takes', async (t) => {
  const { changes, parts } = make(t);
  let settle = () => {};
  parts.settled = new Promise((resolve) => {
    settle = resolve;
  });
  changes.noticed({ action: 'rename', id: id('a'), name: 'shop', oldName: 'web' });
  await until('it is told as it is yet', () => containersTold(parts.told).length === 1);
  parts.containers.set(id('a'), container('a', 'shop'));
  settle();
  await until('it is told', () => containersTold(parts.told).some(({ name }) => name === 'shop'));
});

test('changes within a moment are sent together', async (t) => {
  const { changes, parts } = make(t);
  const began = performance.now();
  for (let round = 0; round < 100; round++) {
    changes.noticed({ action: 'start', id: id('a'), name: 'web' });
    await delay(1);
  }
  const events = () => parts.told.flatMap((each) => each.events ?? []);
  await until('all is told', () => events().length === 100);
  // A moment is 20 ms; a timer may be early by one.
  const moments = (performance.now() - began) / 19 + 2;
  assert.ok(parts.told.length <= moments, `${parts.told.length} times in ${moments} moments`);
});

test('without followers nothing is computed, and a later read has what happened', async (t) => {
  const { changes, parts } = make(t);
  parts.clients.size = 0;
  changes.noticed({ action: 'start', id: id('a'), name: 'web' });
  await Promise.resolve();
  parts.clients.size = 1;
  changes.begin();
  await until('the hosts are told', () => parts.told.some(({ hosts }) => hosts));
  assert.equal(parts.looks, 0);
  assert.equal(parts.visits, 1);
  assert.deepEqual(
    (await changes.view()).events.map(({ text }) => text),
    ['started'],
  );
});

test('of hosts and conditions only differences are sent; a new follower gets everything', async (t) => {
  const { changes, parts } = make(t);
  changes.begin();
  await until('all is told', () => parts.told.length === 1);
  assert.deepEqual(parts.told[0]?.hostNames, ['one']);
  assert.deepEqual(parts.told[0]?.conditions, []);
  parts.hosts = [host('one'), host('two')];
  parts.conditions.set('ENGINE_LOST', 'the engine is away');
  await until('it is told', () => parts.told.length === 2);
  assert.deepEqual(
    parts.told[1]?.hosts?.map(({ name }) => name),
    ['two'],
  );
  assert.equal(parts.told[1]?.hostNames, undefined);
  assert.deepEqual(
    parts.told[1]?.conditions?.map(({ code }) => code),
    ['ENGINE_LOST'],
  );
  assert.deepEqual(
    parts.told[1]?.events?.map(({ level, text }) => `${level}: ${text}`),
    ['warning: the engine is away'],
  );
  parts.hosts = [host('one')];
  parts.conditions.clear('ENGINE_LOST');
  await until('that they went is told', () => parts.told.length === 3);
  assert.deepEqual(parts.told[2]?.hostNames, ['one']);
  assert.deepEqual(parts.told[2]?.conditions, []);
  assert.equal(parts.told[2]?.events?.[0]?.text, 'no longer: the engine is away');
  changes.begin();
  await until('all is told', () => parts.told.length === 4);
  assert.deepEqual(
    [parts.told[3]?.hosts, parts.told[3]?.hostNames, parts.told[3]?.conditions],
    [parts.hosts, ['one'], []],
  );
});

test('what the doctor found and what was repaired are told when they change', async (t) => {
  const { changes, parts } = make(t);
  changes.begin();
  await until('all is told', () => parts.told.length === 1);
  assert.deepEqual([parts.told[0]?.doctor, parts.told[0]?.healed], [{ at: null, checks: [] }, []]);
  parts.doctor = { at: 1, checks: [{ check: 'tools', state: 'ok', text: 'all there', code: null }] };
  await until('it is told', () => parts.told.length === 2);
  assert.deepEqual([parts.told[1]?.doctor, parts.told[1]?.healed], [parts.doctor, undefined]);
  parts.conditions.healed('LINKS_CHANGED', 'the bridge was down');
  await until('it is told', () => parts.told.length === 3);
  assert.deepEqual([parts.told[2]?.doctor, parts.told[2]?.healed?.length], [undefined, 1]);
});

test("other hosts' containers are reported as they come and go", async (t) => {
  const { changes, parts } = make(t);
  const follower = changes.follower((name) => `node ${name}`);
  const key = new LinkKey('two', id('b'));
  parts.containers.set(id('b'), { ...container('b', 'far'), addresses: ['10.32.0.9'] });
  follower.linkChanged(key, { mac: null, ips: [], names: [] });
  await until('it is told', () => containersTold(parts.told).some(({ name }) => name === 'far'));
  follower.linkChanged(key, undefined);
  await until('it is told', () => parts.told.some((each) => each.containersGone?.includes(id('b'))));
  follower.aliveChanged('two', false);
  await until('it is told', () =>
    parts.told.some((each) => each.events?.some(({ text }) => text === 'is gone')),
  );
  const texts = parts.told.flatMap((each) => each.events ?? []).map(({ name, text }) => `${name}: ${text}`);
  assert.deepEqual(texts, ['far: on node two: 10.32.0.9', 'far: on node two: gone', 'node two: is gone']);
});
