import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from '../../../src/containers/history.ts';
import type { EventView } from '../../../src/report/network.ts';

const texts = (events: readonly EventView[]) => events.map(({ text }) => text);

test('what the engine tells is told in words, under the name that the container has then', () => {
  const history = new History();
  const told: string[] = [];
  history.follow(({ name, text }) => told.push(`${name}: ${text}`));
  history.noticed({ action: 'start', id: 'a', name: 'web' });
  history.noticed({ action: 'network', id: 'a' });
  history.noticed({ action: 'rename', id: 'a', name: 'shop', oldName: 'web' });
  history.add({ subject: 'a', text: 'detached' });
  history.noticed({ action: 'die', id: 'a', name: 'shop', exitCode: '137' });
  history.noticed({ action: 'die', id: 'a' });
  history.noticed({ action: 'destroy', id: 'a' });
  assert.deepEqual(told, [
    'web: started',
    'shop: renamed from web',
    'shop: detached',
    'shop: ended with exit code 137',
    'shop: ended',
    'shop: removed',
  ]);
  assert.deepEqual(history.of('a'), history.latest());
  assert.deepEqual(history.of('b'), []);
});

test('however much happens, what is kept has its bounds; what happened last stays', () => {
  const history = new History();
  for (let round = 0; round < 100; round++) history.add({ subject: 'busy', text: `${round}` });
  assert.equal(history.of('busy').length, 60);
  assert.equal(history.of('busy').at(-1)?.text, '99');
  for (let other = 0; other < 1_999; other++) history.add({ subject: `other${other}`, text: 'x' });
  assert.equal(history.of('busy').length, 60);
  history.add({ subject: 'busy', text: 'again' });
  for (let other = 0; other < 1_999; other++) history.add({ subject: `later${other}`, text: 'x' });
  assert.equal(history.of('busy').at(-1)?.text, 'again');
  history.add({ subject: 'one too many', text: 'x' });
  assert.deepEqual(history.of('busy'), []);
  assert.equal(history.latest().length, 300);
  assert.deepEqual(texts(history.latest().slice(-1)), ['x']);
  assert.equal(history.latest().at(-1)?.number, 100 + 1_999 + 1 + 1_999 + 1);
});

test('what other hosts have pushes out nothing of this one, and is remembered for a while', () => {
  const history = new History();
  history.add({ subject: 'own', name: 'web', text: 'started' });
  for (let other = 0; other < 3_000; other++)
    history.mention({ subject: `far${other}`, name: 'far', text: 'on node2' });
  history.mention({ subject: 'far2999', text: 'gone' });
  assert.deepEqual(texts(history.of('own')), ['started']);
  assert.deepEqual(
    history.of('far2999').map(({ name, text }) => `${name}: ${text}`),
    ['far: on node2', 'far: gone'],
  );
  assert.deepEqual(history.of('far0'), []);
});
