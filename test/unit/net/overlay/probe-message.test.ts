import assert from 'node:assert/strict';
import test from 'node:test';
import {
  decodeProbe,
  encodeProbe,
  newNonce,
  probeAddress,
  probeKey,
  smallestProbe,
} from '../../../../src/net/overlay/probe-message.ts';

const key = probeKey('id of one', 'id of two');

test('both hosts of a pair make the same key, and no other pair does', () => {
  assert.deepEqual(probeKey('id of two', 'id of one'), key);
  assert.notDeepEqual(probeKey('id of one', 'id of three'), key);
});

test('a message fills the packet to the requested size, and is read back unchanged', () => {
  for (const size of [smallestProbe, 650, 8950]) {
    const nonce = newNonce();
    const bytes = encodeProbe({ kind: 'ask', nonce }, key, size);
    assert.equal(bytes.length, size - 28);
    assert.deepEqual(decodeProbe(bytes, key), { kind: 'ask', nonce });
  }
});

test('altered, short or foreign messages are ignored', () => {
  const bytes = encodeProbe({ kind: 'answer', nonce: newNonce() }, key, 200);
  assert.equal(decodeProbe(bytes, probeKey('id of one', 'another')), undefined);
  for (let i = 0; i < 32; i++) {
    const altered = Buffer.from(bytes);
    altered[i] = (altered[i] ?? 0) ^ 1;
    assert.equal(decodeProbe(altered, key), undefined, `byte ${i}`);
    assert.equal(decodeProbe(bytes.subarray(0, i), key), undefined, `${i} bytes`);
  }
});

test("a probe's address follows from the id of its host", () => {
  const { mac, ip } = probeAddress('id of one');
  assert.deepEqual(probeAddress('id of one'), { mac, ip });
  assert.notEqual(probeAddress('id of two').mac, mac);
  for (let i = 0; i < 500; i++) {
    const { mac: each, ip: at } = probeAddress(`id ${i}`);
    assert.match(each, /^.[26ae](:[0-9a-f]{2}){5}$/);
    assert.match(at, /^24[0-7]\./);
  }
});
