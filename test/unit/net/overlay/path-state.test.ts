import assert from 'node:assert/strict';
import test from 'node:test';
import type { Beat, PathHealth } from '../../../../src/model/path-health.ts';
import { pathState } from '../../../../src/net/overlay/path-state.ts';

const ok: Beat = { state: 'ok', since: 0, roundTripMs: 1, loss: 0 };
const failing: Beat = { state: 'failing', since: 0, loss: 1 };
const unknown: Beat = { state: 'unknown', since: 0, loss: 0 };

function stateOf(underlay: PathHealth['underlay'], beats?: [small: Beat, full: Beat], mtu?: number): string {
  const health = beats && {
    peer: 'p',
    nickname: 'n',
    address: '10.0.0.2',
    small: beats[0],
    full: beats[1],
    mtu,
    underlay,
    sampled: false,
  };
  const { state, text } = pathState({
    address: '10.0.0.2',
    underlay,
    ports: '6783 and 6784',
    health,
    mtu: 1450,
  });
  return `${state} ${text}`;
}

test('packets inside the network decide, and heartbeats outside give the reason', () => {
  const since = '(since 1970-01-01T00:00:00.000Z)';
  assert.equal(stateOf('unknown', [unknown, unknown]), 'pending ');
  assert.equal(stateOf('up', [unknown, unknown]), 'pending ');
  assert.match(
    stateOf('down', [unknown, unknown]),
    /^failed no answer from 10\.0\.0\.2; is UDP 6783 and 6784/,
  );
  assert.equal(stateOf('up', [ok, ok]), 'established ');
  assert.equal(stateOf('down', [ok, ok]), 'established ');
  assert.equal(
    stateOf('up', [failing, failing]),
    `failed its daemon answers, but nothing passes inside the network; is UDP 6784 let through on both hosts, and what carries it? ${since}`,
  );
  assert.equal(
    stateOf('down', [failing, failing]),
    `failed no answer from 10.0.0.2; is UDP 6783 and 6784 let through on both hosts? ${since}`,
  );
  assert.equal(
    stateOf('up', [ok, failing]),
    `established small packets pass, those of 1450 bytes do not ${since}`,
  );
  assert.equal(
    stateOf('up', [ok, failing], 650),
    `established packets over 650 bytes do not pass; containers here send it none ${since}`,
  );
});

test('for a host that answers no probes only the heartbeat counts', () => {
  assert.equal(stateOf('unknown'), 'pending ');
  assert.equal(stateOf('up'), 'established ');
  assert.match(stateOf('down'), /^failed no answer/);
});
