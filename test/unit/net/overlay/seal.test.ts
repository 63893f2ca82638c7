import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../../../../src/lib/errors.ts';
import { KeySeal } from '../../../../src/net/overlay/seal.ts';
import { datapathMtu } from '../../../../src/net/overlay/vxlan.ts';

const key = 'EENUnM6/6ncI3CbMWGyuaVMCmU3Hv1TtVJHZk0Oa8Xk=';
const peer = '0e:1d:12:1a:1a:88';
const refused = (error: unknown) => hasCode(error, 'CLUSTER_MISMATCH') && /--password/.test(error.message);

test('the same password opens a key, on any host', async () => {
  const sealed = (await KeySeal.derive('wfvAwt7sj', 'c2FsdCBvbmU=')).seal(key, peer);
  assert.ok(!sealed.includes(key));
  assert.equal((await KeySeal.derive('wfvAwt7sj', 'c2FsdCBvbmU=')).open(sealed, peer), key);
});

test('another password, cluster or name, or an altered key, is refused', async () => {
  const seal = await KeySeal.derive('wfvAwt7sj', 'c2FsdCBvbmU=');
  const sealed = seal.seal(key, peer);
  const others = [
    await KeySeal.derive('wfvAwt7sk', 'c2FsdCBvbmU='),
    await KeySeal.derive('wfvAwt7sj', 'c2FsdCB0d28='),
  ];
  for (const other of others) assert.throws(() => other.open(sealed, peer), refused);
  assert.throws(() => seal.open(sealed, '0e:1d:12:1a:1a:89'), refused);
  const bytes = Buffer.from(sealed, 'base64');
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  assert.throws(() => seal.open(bytes.toString('base64'), peer), refused);
  for (const text of ['', 'plain', key]) assert.throws(() => seal.open(text, peer), refused);
});

test('the MTU is what the underlay leaves, unless one is given', () => {
  const given = { underlay: 1500, asked: null, kind: 'bridge', encrypted: false } as const;
  assert.equal(datapathMtu(given), 1450);
  assert.equal(datapathMtu({ ...given, encrypted: true }), 1370);
  assert.equal(datapathMtu({ ...given, kind: 'ovs' }), 1376);
  assert.equal(datapathMtu({ ...given, kind: 'ovs', encrypted: true }), 1370);
  assert.equal(datapathMtu({ ...given, kind: 'ovs', underlay: 9000 }), 1376);
  assert.equal(datapathMtu({ ...given, underlay: 9000, kind: 'ovs', asked: 8916 }), 8916);
});
