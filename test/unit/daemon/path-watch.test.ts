import assert from 'node:assert/strict';
import test from 'node:test';
import { PathWatch } from '../../../src/daemon/path-watch.ts';
import { silent } from '../../../src/lib/log.ts';
import { Conditions } from '../../../src/model/conditions.ts';
import type { PeerState } from '../../../src/net/overlay/datapath.ts';

const host = (name: string, state: PeerState['state'], text: string): PeerState => ({
  peer: { name, nickname: `${name}!`, address: '10.0.0.2' },
  state,
  text,
  carrier: 'vxlan',
  health: undefined,
  mtu: undefined,
});

test('a failing or narrow path is one condition per host, until it recovers', () => {
  const conditions = new Conditions({ logger: silent });
  const watch = new PathWatch(conditions);
  const found = (...states: PeerState[]) => {
    watch.look(states);
    return conditions.list().map(({ code, about, text }) => `${code} ${about}: ${text}`);
  };
  assert.deepEqual(found(host('a', 'pending', ''), host('b', 'established', '')), []);
  assert.deepEqual(found(host('a', 'failed', 'no answer'), host('b', 'established', 'narrow')), [
    'PATH_BLOCKED a: the network to a! (10.0.0.2): no answer',
    'PATH_NARROW b: the network to b! (10.0.0.2): narrow',
  ]);
  assert.deepEqual(found(host('a', 'established', ''), host('b', 'failed', 'no answer')), [
    'PATH_BLOCKED b: the network to b! (10.0.0.2): no answer',
  ]);
  assert.deepEqual(found(), [], 'a host that is gone');
  const many = Array.from({ length: 50 }, (_, i) => host(`h${i}`, 'failed', 'no answer'));
  assert.equal(found(...many).length, 10);
  assert.deepEqual(found(...many.map(({ peer }) => host(peer.name, 'established', ''))), []);
});
