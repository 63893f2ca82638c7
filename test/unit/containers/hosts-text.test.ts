import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editHosts } from '../../../src/containers/hosts-text.ts';
import { wish } from './hosts-wish.ts';

const engines = '127.0.0.1\tlocalhost\n9.9.9.9\tuser\n172.17.0.2\tc1.weave.local c1\n';
const line = '10.32.0.1\tc1.weave.local c1';
const none = { lines: [] };

test('our line comes before the engine’s, once, however often it is added', () => {
  const first = editHosts(engines, none, wish);
  assert.equal(first.text, engines.replace('172.', `${line}\n172.`));
  assert.deepEqual(first.ours.lines, [line]);
  assert.deepEqual(editHosts(first.text, first.ours, wish), first);
  // What was kept of it is lost.
  assert.deepEqual(editHosts(first.text, none, wish), first);
});

test('other lines stay byte for byte, even an unfinished last one', () => {
  const others = '\n#a\r\n\xff\xfe odd\n5.6.7.8 mine\n\nunfinished';
  const { text } = editHosts(engines + others, none, wish);
  assert.equal(text.replace(`${line}\n`, ''), engines + others);
  const bare = editHosts('5.6.7.8 mine\nunfinished', none, wish);
  assert.equal(bare.text, `5.6.7.8 mine\n${line}\nunfinished`);
  assert.equal(editHosts('', none, wish).text, `${line}\n`);
});

test("a user's line that reads like ours is removed at most once", () => {
  const twice = `${engines}${line}\n${line}\n`;
  const { text } = editHosts(twice, { lines: [line] }, { ...wish, addresses: [] });
  assert.equal(text, `${engines}${line}\n`);
});

test('a removed address takes its own lines along, and no others', () => {
  const two = editHosts(engines, none, { ...wish, addresses: ['10.32.0.1', '10.2.1.1'] });
  assert.equal(two.ours.lines.length, 2);
  assert.equal(editHosts(two.text, two.ours, wish).text, editHosts(engines, none, wish).text);
  assert.equal(editHosts(two.text, two.ours, { ...wish, addresses: [] }).text, engines);
});

test('a name that someone else has assigned is not ours to assign', () => {
  assert.deepEqual(editHosts(`${engines}1.1.1.1 C1\n`, none, wish).ours.lines, ['10.32.0.1\tc1.weave.local']);
  assert.deepEqual(
    editHosts(engines, none, { ...wish, extraHosts: ['c1.weave.local:host-gateway'] }).ours.lines,
    ['10.32.0.1\tc1'],
  );
  const all = editHosts(engines, none, { ...wish, extraHosts: ['c1:1.1.1.1', 'c1.weave.local:::1'] });
  assert.deepEqual(all, { text: engines, ours: { lines: [], renamed: undefined } });
  assert.deepEqual(editHosts(`${engines}#1.1.1.1 c1\n`, none, wish).ours.lines, [line]);
});

test('the short name is everything before our domain; outside it, the first label', () => {
  const called = (hostname: string) =>
    editHosts('', none, { ...wish, hostname, called: hostname }).ours.lines.join();
  assert.equal(called('web.v1.weave.local'), '10.32.0.1\tweb.v1.weave.local web.v1');
  assert.equal(called('a.example.com'), '10.32.0.1\ta.example.com a');
  assert.equal(called('plain'), '10.32.0.1\tplain');
});

test('a renamed container has its new name, in the engine’s line too: the old one may be another’s by now', () => {
  const first = editHosts(engines, none, wish);
  const renamed = editHosts(first.text, first.ours, { ...wish, called: 'c2.weave.local' });
  const c2 =
    '127.0.0.1\tlocalhost\n9.9.9.9\tuser\n10.32.0.1\tc2.weave.local c2\n172.17.0.2\tc2.weave.local c2\n';
  assert.equal(renamed.text, c2);
  const again = editHosts(renamed.text, renamed.ours, { ...wish, called: 'c3.weave.local' });
  assert.equal(again.text, c2.replaceAll('c2', 'c3'));
  // It starts again: the engine has written its line anew.
  assert.equal(editHosts(engines, none, { ...wish, called: 'c3.weave.local' }).text, again.text);
  assert.deepEqual(editHosts(again.text, again.ours, wish), first);
  const left = { ...wish, hostname: '', called: '', addresses: [] };
  assert.equal(editHosts(again.text, again.ours, left).text, engines);
});

test('a rename reaches each line of the engine’s, of all networks and families, and those that come later', () => {
  const two = `${engines}fd00::2\tc1.weave.local c1\n`;
  const called = { ...wish, called: 'c2.weave.local' };
  const renamed = editHosts(two, none, called);
  assert.equal(renamed.text.replace(/^10\.32.*\n/m, ''), two.replaceAll('c1', 'c2'));
  const third = '172.18.0.2\tc1.weave.local c1\n';
  const later = editHosts(renamed.text + third, renamed.ours, called);
  assert.equal(later.text, renamed.text + third.replaceAll('c1', 'c2'));
  const left = { ...wish, hostname: '', called: '', addresses: [] };
  assert.equal(editHosts(later.text, later.ours, left).text, two + third);
  // The engine looks for what it wrote, and leaves this.
  const isGone = (address: string) => address === '172.17.0.2';
  const gone = editHosts(later.text, later.ours, { ...called, isGone });
  assert.equal(gone.text, later.text.replace(/^172\.17.*\n/m, ''));
  assert.equal(editHosts(engines, none, { ...wish, isGone }).text, editHosts(engines, none, wish).text);
});

test('lines of any form stay, whatever the container is called', () => {
  const others =
    '10.0.0.5\tdb\tdb.example\n# a\tb\tc\n1.1.1.1 foo\n\n2.2.2.2\tnone\tundefined\nunfinished\tx\ty';
  for (const name of ['none', 'undefined', 'c1.weave.local'])
    for (const called of [name, 'c2.weave.local']) {
      const own = { ...wish, hostname: name, called, isGone: () => true };
      const first = editHosts(others, none, own);
      const again = editHosts(first.text, first.ours, own);
      for (const { text } of [first, again]) assert.equal(text.replace(/^10\.32.*\n/m, ''), others);
    }
});

test('a rename of which the record is lost is known again', () => {
  const called = { ...wish, called: 'c2.weave.local' };
  const renamed = editHosts(engines, none, called);
  assert.deepEqual(editHosts(renamed.text, none, called), renamed);
});

test('without a line of the engine’s a rename changes no other', () => {
  const others = '\n\t\n1.1.1.1 c1.weave.local c1\n# c1.weave.local c1\n';
  const { text, ours } = editHosts(others, none, { ...wish, called: 'c2.weave.local' });
  assert.equal(text, `${others}10.32.0.1\tc2.weave.local c2\n`);
  assert.equal(editHosts(text, ours, { ...wish, hostname: '', called: '', addresses: [] }).text, others);
});

test('entries requested by hand are ours, and come before our own names', () => {
  const { ours } = editHosts(engines, none, { ...wish, addHosts: ['db:10.2.1.9', 'c1=1.1.1.1'] });
  assert.deepEqual(ours.lines, ['10.2.1.9\tdb', '1.1.1.1\tc1', '10.32.0.1\tc1.weave.local']);
});

test('on a user-defined network, the line that Podman writes for the container is known as the engine’s', () => {
  const podman = '127.0.0.1\tlocalhost\n10.89.0.2\tc1 c1\n';
  const { text } = editHosts(podman, none, { ...wish, hostname: 'c1', called: 'c1' });
  assert.equal(text, '127.0.0.1\tlocalhost\n10.32.0.1\tc1\n10.89.0.2\tc1 c1\n');
});
