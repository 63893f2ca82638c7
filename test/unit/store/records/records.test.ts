import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Cidr } from '../../../../src/model/address.ts';
import { addressRecord } from '../../../../src/store/records/address.ts';
import { blockRecord } from '../../../../src/store/records/block.ts';
import { eraRecord } from '../../../../src/store/records/era.ts';
import { exposeRecord } from '../../../../src/store/records/expose.ts';
import { LinkKey, linkRecord } from '../../../../src/store/records/link.ts';
import { namesRecord } from '../../../../src/store/records/names.ts';
import type { RecordKind } from '../../../../src/store/records/record-kind.ts';
import { RecordReader } from '../../../../src/store/records/record-reader.ts';
import { movedRecord } from '../../../../src/store/records/settings.ts';

const id = 'a'.repeat(64);
const host = '02:00:00:00:00:01';
const link = {
  mac: '02:00:00:00:00:07',
  ips: ['10.32.0.1'],
  names: [{ hostname: 'b.weave.local.', address: '10.32.0.1' }],
};

function reading<K, V>(kind: RecordKind<K, V>) {
  const lines: { key: string; reason: string }[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  const reader = new RecordReader(kind, logger);
  const read = (key: string, value: unknown) =>
    reader.read({ key, value: typeof value === 'string' ? value : JSON.stringify(value), revision: 1 });
  return { read, lines };
}

test("another host's link is typed", () => {
  const { read, lines } = reading(linkRecord);
  const record = read(`link/${host}/${id}`, link);
  assert.deepEqual(record?.value, link);
  assert.deepEqual({ ...record?.key }, { host, container: id });
  assert.equal(linkRecord.keyOf(new LinkKey(host, id)), `link/${host}/${id}`);
  assert.deepEqual(lines, []);
});

test('a record that hosts share keeps what this version does not know when it is changed', () => {
  const era = { number: 1, id: 'a1', settled: false };
  const value = JSON.stringify({ ...era, later: { any: 'thing' } });
  const write = eraRecord.amend({ key: 'era/now', value, revision: 7 }, { ...era, settled: true });
  assert.deepEqual(JSON.parse(write.value ?? ''), { ...era, settled: true, later: { any: 'thing' } });
  assert.deepEqual([write.key, write.expect, write.was], ['era/now', 7, value]);
});

test('settings that were moved elsewhere are one line of text', () => {
  const { read, lines } = reading(movedRecord);
  const moved = { by: host, host: '10.250.0.1', to: null, settings: '{"range":null}' };
  assert.deepEqual(read('cluster/settings', { moved })?.value, { moved });
  assert.equal(read('cluster/settings', { moved: { ...moved, settings: '{}\n{}' } }), undefined);
  assert.match(lines[0]?.reason ?? '', /moved\.settings: has control characters/);
});

const bad: [string, unknown, RegExp][] = [
  [`link/${host}/${id}`, { ...link, ips: ['10.32.0.1\nlink set lo down'] }, /ips\.0: not an IPv4 address/],
  [`link/${host}/${id}`, { ...link, mac: `${link.mac} dev eth0` }, /mac: not a MAC/],
  [`link/${host}/${id}`, { ...link, mac: '02:00:00:00:00:07\n' }, /mac: not a MAC/],
  [`link/${host}/${id}`, { ...link, names: [{ hostname: 'b.weave.local.', address: 'oops' }] }, /address/],
  [`link/${host}/${id}`, { ...link, names: [{ hostname: 'b c.', address: '10.32.0.1' }] }, /hostname/],
  [`link/${host}/${id}`, { ...link, names: null }, /names/],
  [`link/${host}/${id}`, 'null', /./],
  [`link/${host}/${id}`, '{', /not JSON/],
  [`link/${host}/${id}/more`, link, /key/],
  [`link/${host}`, link, /key/],
  [`link/../${id}`, { ...link, ips: 'x' }, /ips/],
];

test('a malformed link of another host is ignored, with one line in the log that says why', () => {
  for (const [key, value, reason] of bad) {
    const { read, lines } = reading(linkRecord);
    for (let i = 0; i < 3; i++) assert.equal(read(key, value), undefined, JSON.stringify(value));
    assert.equal(lines.length, 1);
    assert.match(lines[0]?.reason ?? '', reason);
    assert.equal(lines[0]?.key, key);
  }
});

test('a record that is bad in a new way is reported again, and a repaired one counts', () => {
  const { read, lines } = reading(addressRecord);
  read('addr/10.32.0.1', 'x');
  read('addr/10.32.0.1', { owner: id, cidr: '10.32.0.1/99' });
  assert.equal(lines.length, 2);
  const record = read('addr/10.32.0.1', { owner: id, cidr: '10.32.0.1/12' });
  assert.deepEqual(record?.value, { owner: id, cidr: new Cidr(0x0a200001, 12) });
  read('addr/10.32.0.1', 'x');
  assert.equal(lines.length, 3);
});

test('reads back what was written', () => {
  const cidr = Cidr.parse('10.2.1.1/24');
  const { key, value } = exposeRecord.write(cidr, { masquerade: true, hostsFile: false });
  const record = reading(exposeRecord).read(key, value);
  assert.ok(record?.key.equals(cidr));
  assert.deepEqual(record?.value, { masquerade: true, hostsFile: false });
});

test('record kinds refuse dangerous values', () => {
  const refuses = <K, V>(kind: RecordKind<K, V>, key: string, value: unknown) =>
    assert.equal(reading(kind).read(key, value), undefined, `${key} ${JSON.stringify(value)}`);
  refuses(blockRecord, 'block/10.32.0.0', { '0-256': host });
  refuses(blockRecord, 'block/10.32.0.0', { '9-3': host });
  refuses(blockRecord, 'block/10.32.0.0', { '0-255': 'a\nb' });
  refuses(blockRecord, 'block/10.32.0.7', { '0-255': host });
  refuses(namesRecord, `names/${id}`, { pid: 1, addresses: ['oops'], names: [] });
  refuses(addressRecord, 'addr/oops', { owner: id, cidr: '10.32.0.1/12' });
  refuses(exposeRecord, 'expose/10.2.1.1', { masquerade: true });
});
