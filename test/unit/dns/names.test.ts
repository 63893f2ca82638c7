import assert from 'node:assert/strict';
import test from 'node:test';
import { NameTable, qualify } from '../../../src/dns/names.ts';
import { record } from './client.ts';

test('a record added twice is there once', () => {
  const names = new NameTable();
  assert.equal(names.add(record('a', '10.32.0.1')), true);
  assert.equal(names.add(record('a', '10.32.0.1')), false);
  assert.equal(names.size, 1);
  assert.deepEqual(names.list(), [record('a', '10.32.0.1')]);
});

test('an address published twice for a name is answered once, and stays while one publisher has it', () => {
  const names = new NameTable();
  names.add(record('a', '10.32.0.1', 'c1', 'here'));
  names.add(record('a', '10.32.0.1', 'c1', 'there'));
  names.add(record('a', '10.32.0.1', 'c2', 'here'));
  assert.equal(names.size, 3);
  assert.deepEqual(names.addresses('a.weave.local.'), ['10.32.0.1']);
  assert.deepEqual(names.hostnames('10.32.0.1'), ['a.weave.local.']);
  names.remove({ origin: 'there' });
  names.remove({ containerId: 'c1' });
  assert.deepEqual(names.addresses('a.weave.local.'), ['10.32.0.1']);
  names.remove({ containerId: 'c2' });
  assert.deepEqual(names.addresses('a.weave.local.'), []);
  assert.deepEqual(names.hostnames('10.32.0.1'), []);
});

test('removes what matches all fields of the filter, and returns how many', () => {
  const names = new NameTable();
  names.add(record('a', '10.32.0.1', 'c1'));
  names.add(record('a', '10.32.0.2', 'c2'));
  names.add(record('b', '10.32.0.1', 'c1'));
  assert.equal(names.remove({ hostname: 'a.weave.local.', containerId: 'c9' }), 0);
  assert.equal(names.remove({ hostname: 'a.weave.local.', address: '10.32.0.1' }), 1);
  assert.deepEqual(names.addresses('a.weave.local.'), ['10.32.0.2']);
  assert.deepEqual(names.hostnames('10.32.0.1'), ['b.weave.local.']);
  assert.equal(names.remove({}), 2);
  assert.equal(names.size, 0);
});

test("replaces another host's names and leaves all others", () => {
  const names = new NameTable();
  names.add(record('mine', '10.32.0.1'));
  names.replaceOrigin('there', [record('old', '10.40.0.1'), record('kept', '10.40.0.2')]);
  names.replaceOrigin('there', [record('kept', '10.40.0.2'), record('new', '10.40.0.3')]);
  assert.deepEqual(
    names.list().map(({ hostname, origin }) => `${origin} ${hostname}`),
    ['there kept.weave.local.', 'here mine.weave.local.', 'there new.weave.local.'],
  );
  names.replaceOrigin('there', []);
  assert.deepEqual(names.list(), [record('mine', '10.32.0.1')]);
});

test('lists by name, then by address as a number', () => {
  const names = new NameTable();
  for (const [name, address] of [
    ['b', '10.32.0.1'],
    ['a', '10.32.0.10'],
    ['a', '10.32.0.9'],
    ['a', '9.0.0.1'],
  ] as const) {
    names.add(record(name, address));
  }
  assert.deepEqual(
    names.list().map(({ hostname, address }) => `${hostname[0]} ${address}`),
    ['a 9.0.0.1', 'a 10.32.0.9', 'a 10.32.0.10', 'b 10.32.0.1'],
  );
  assert.equal(names.list({ hostname: 'b.weave.local.' }).length, 1);
});

test('changing inputs or results does not change the table', () => {
  const names = new NameTable();
  const given = record('a', '10.32.0.1');
  names.add(given);
  given.address = '10.32.0.2';
  for (const listed of names.list()) listed.hostname = 'changed.';
  assert.deepEqual(names.list(), [record('a', '10.32.0.1')]);
});

test('finds and removes among 100,000 names without scanning them', () => {
  const names = new NameTable();
  const count = 100_000;
  const nth = (i: number) => record(`c${i}`, `10.${32 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, `id${i}`);
  for (let i = 0; i < count; i++) names.add(nth(i));
  assert.equal(names.size, count);
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const { hostname, address, containerId } = nth(i);
    assert.equal(names.addresses(hostname)[0], address);
    assert.equal(names.remove({ containerId }), 1);
  }
  // Looking through them all would take 10^10 steps: minutes.
  const took = performance.now() - start;
  assert.ok(took < 60_000, `took ${took} ms`);
  assert.equal(names.size, 0);
});

test('qualifies single labels with the domain, and makes all names lower-case and absolute', () => {
  assert.equal(qualify('BBox1', 'Weave.local.'), 'bbox1.weave.local.');
  assert.equal(qualify('bbox1.', 'weave.local.'), 'bbox1.weave.local.');
  assert.equal(qualify('Db.Example.com', 'weave.local.'), 'db.example.com.');
  assert.equal(qualify('db.example.com.', 'weave.local.'), 'db.example.com.');
});
