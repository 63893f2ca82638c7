import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerView, NetworkView } from '../../../src/report/network.ts';
import { changed, networkOf } from '../../../src/web/network.ts';
import { containerLink, hostLink, routeOf } from '../../../src/web/route.ts';
import { searchFor } from '../../../src/web/search.ts';
import { dotPaths, isOpen, tilesOf } from '../../../src/web/tiles.ts';
import { madeUpEvent, madeUpHost, madeUpNetwork } from '../../support/made-up-network.ts';

const names = (network: { containers: readonly ContainerView[] }) =>
  network.containers.map(({ name }) => name);

test('applied changes equal a fresh read, whatever the order of names', () => {
  const view = madeUpNetwork({ hosts: 3, containers: 40 });
  const less: NetworkView = { ...view, containers: view.containers.filter((_, index) => index % 3 > 0) };
  let network = networkOf(less);
  for (const container of view.containers.filter((_, index) => index % 3 === 0).reverse()) {
    network = changed(network, { sequence: 1, containers: [container, ...view.containers.slice(0, 2)] });
  }
  assert.deepEqual(network, networkOf(view));
  const gone = view.containers.slice(0, 30).map(({ id }) => id);
  network = changed(network, { sequence: 2, containersGone: [...gone, 'never known'] });
  assert.deepEqual(network, networkOf({ ...view, containers: view.containers.slice(30) }));
  // As many as a person counts: 2 before 10.
  assert.ok(names(networkOf(madeUpNetwork({ hosts: 1, containers: 120 }))).indexOf('web2') < 110);
});

test('hosts come, change and go', () => {
  const view = madeUpNetwork({ hosts: 12, containers: 0 });
  let network = networkOf(view);
  assert.deepEqual(
    network.hosts.map(({ nickname }) => nickname),
    Array.from({ length: 12 }, (_, index) => `node${index + 1}`),
  );
  const [first, second] = view.hosts;
  assert.ok(first && second);
  network = changed(network, { sequence: 1, hosts: [{ ...second, alive: false }] });
  assert.equal(network.hostOf.get(second.name)?.alive, false);
  network = changed(network, { sequence: 2, hostNames: [first.name] });
  assert.deepEqual(network.hosts, [first]);
});

test('an event that was already read is listed once', () => {
  const view = madeUpNetwork({ hosts: 1, containers: 1 });
  const [container] = view.containers;
  assert.ok(container);
  const [one, two, three] = [1, 2, 3].map((number) => madeUpEvent(number, container, `${number}`));
  assert.ok(one && two && three);
  const network = changed(networkOf({ ...view, events: [one, two] }), { sequence: 1, events: [two, three] });
  assert.deepEqual(
    network.events.map(({ text }) => text),
    ['3', '2', '1'],
  );
});

test('a search matches words in anything a person may know', () => {
  const view = madeUpNetwork({ hosts: 2, containers: 20 });
  const network = networkOf(view);
  const find = (typed: string) =>
    names({
      containers: network.containers.filter((each) =>
        searchFor(typed).container(each, network.hostOf.get(each.host)),
      ),
    });
  assert.equal(find('').length, 20);
  assert.deepEqual(find('WEB2'), ['web2']);
  assert.deepEqual(find('10.32.0.20'), ['cron2']);
  assert.deepEqual(find(view.containers[4]?.id.slice(0, 12) ?? ''), [view.containers[4]?.name]);
  assert.equal(find('node2').length, 10);
  assert.deepEqual(find('node2 api1'), ['api1']);
  assert.deepEqual(find('not attached'), []);
  assert.deepEqual(find('nothing like it'), []);
});

test("a small network's map names containers; a large one's only hosts and matches", () => {
  const open = (containers: number, typed = '') => {
    const network = networkOf(madeUpNetwork({ hosts: 10, containers }));
    const search = searchFor(typed);
    return isOpen(network, search, tilesOf(network, search));
  };
  assert.deepEqual(
    [open(60), open(61), open(5_000, 'web2'), open(5_000, 'web77')],
    [true, false, false, true],
  );
  const network = networkOf(madeUpNetwork({ hosts: 2, containers: 1_000 }));
  const { paths, height } = dotPaths(network.containers);
  assert.equal(paths.length, 1);
  assert.equal(paths[0]?.path.match(/M/g)?.length, 240);
  assert.equal(height, 96);
});

test('a URL leads to its page, and nowhere else', () => {
  assert.deepEqual(routeOf(''), { page: 'network' });
  assert.deepEqual(routeOf('#/names'), { page: 'names' });
  assert.deepEqual(routeOf(containerLink('a'.repeat(64))), { page: 'container', id: 'a'.repeat(12) });
  for (const name of [madeUpHost(1), 'a/b %41', '%'])
    assert.deepEqual(routeOf(hostLink(name)), { page: 'host', id: name });
  for (const hash of ['#/none', '#/container', '#javascript:x', '#//'])
    assert.deepEqual(routeOf(hash), { page: 'network' });
  assert.deepEqual(routeOf('#/host/%'), { page: 'host', id: '%' });
});
