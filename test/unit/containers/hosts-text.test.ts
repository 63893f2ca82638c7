import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editHosts } from '../../../src/containers/hosts-text.ts';
import { wish } from './hosts-wish.ts';

const engines = '127.0.0.1\tlocalhost\n9.9.9.9\tuser\n172.17.0.2\tc1.weave.local c1\n';
const line = '10.32.0.1\tc1.weave.local c1';

test('our line comes before the engine’s, once, however often it is added', () => {
  const first = editHosts(engines, [], wish);
  assert.equal(first.text, engines.replace('172.', `${line}\n172.`));
  assert.deepEqual(first.lines, [line]);
  assert.deepEqual(editHosts(first.text, first.lines, wish), first);
  // What was kept of it is lost.
  assert.deepEqual(editHosts(first.text, [], wish), first);
});

test('other lines stay byte for byte, even an unfinished last one', () => {
  const others = '\n#a\r\n\xff\xfe odd\n5.6.7.8 mine\n\nunfinished';
  const { text } = editHosts(engines + others, [], wish);
  assert.equal(text.replace(`${line}\n`, ''), engines + others);
  const bare = editHosts('5.6.7.8 mine\nunfinished', [], wish);
  assert.equal(bare.text, `5.6.7.8 mine\n${line}\nunfinished`);
  assert.equal(editHosts('', [], wish).text, `${line}\n`);
});

test("a user's line that reads like ours is removed at most once", () => {
  const twice = `${engines}${line}\n${line}\n`;
  const { text } = editHosts(twice, [line], { ...wish, addresses: [] });
  assert.equal(text, `${engines}${line}\n`);
});

test('a removed address takes its own lines along, and no others', () => {
  const two = editHosts(engines, [], { ...wish, addresses: ['10.32.0.1', '10.2.1.1'] });
  assert.equal(two.lines.length, 2);
  assert.equal(editHosts(two.text, two.lines, wish).text, editHosts(engines, [], wish).text);
  assert.equal(editHosts(two.text, two.lines, { ...wish, addresses: [] }).text, engines);
});

test('a name that someone else has assigned is not ours to assign', () => {
  assert.deepEqual(editHosts(`${engines}1.1.1.1 C1\n`, [], wish).lines, ['10.32.0.1\tc1.weave.local']);
  assert.deepEqual(editHosts(engines, [], { ...wish, extraHosts: ['c1.weave.local:host-gateway'] }).lines, [
    '10.32.0.1\tc1',
  ]);
  const all = editHosts(engines, [], { ...wish, extraHosts: ['c1:1.1.1.1', 'c1.weave.local:::1'] });
  assert.deepEqual(all, { text: engines, lines: [] });
  assert.deepEqual(editHosts(`${engines}#1.1.1.1 c1\n`, [], wish).lines, [line]);
});

test('the short name is everything before our domain; outside it, the first label', () => {
  const called = (hostname: string) =>
    editHosts('', [], { ...wish, hostname, called: hostname }).lines.join();
  assert.equal(called('web.v1.weave.local'), '10.32.0.1\tweb.v1.weave.local web.v1');
  assert.equal(called('a.example.com'), '10.32.0.1\ta.example.com a');
  assert.equal(called('plain'), '10.32.0.1\tplain');
});

test('a renamed container is found by its new name, and the old line is gone', () => {
  const first = editHosts(engines, [], wish);
  const { text } = editHosts(first.text, first.lines, { ...wish, called: 'c2.weave.local' });
  assert.equal(text, engines.replace('172.', '10.32.0.1\tc2.weave.local c2\n172.'));
});

test('entries requested by hand are ours, and come before our own names', () => {
  const { lines } = editHosts(engines, [], { ...wish, addHosts: ['db:10.2.1.9', 'c1=1.1.1.1'] });
  assert.deepEqual(lines, ['10.2.1.9\tdb', '1.1.1.1\tc1', '10.32.0.1\tc1.weave.local']);
});

test('on a user-defined network, the line that Podman writes for the container is known as the engine’s', () => {
  const podman = '127.0.0.1\tlocalhost\n10.89.0.2\tc1 c1\n';
  const { text } = editHosts(podman, [], { ...wish, hostname: 'c1' });
  assert.equal(text, `127.0.0.1\tlocalhost\n${line}\n10.89.0.2\tc1 c1\n`);
});
