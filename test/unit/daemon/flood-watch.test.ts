import assert from 'node:assert/strict';
import test from 'node:test';
import { FloodWatch } from '../../../src/daemon/flood-watch.ts';

test('a flood is one condition that names its sources, until a minute has passed without a loss', () => {
  const told: string[] = [];
  let dropped = 0;
  let atLimit = ['172.17.0.2'];
  const watch = new FloodWatch({
    dropped: () => dropped,
    atLimit: () => atLimit,
    nameOf: (address) => (address === '172.17.0.2' ? 'loud' : undefined),
    conditions: {
      set: (code, text) => told.push(`${code} ${/from (.*?);/.exec(text)?.[1]}`),
      clear: (code) => told.push(`no ${code}`),
    },
  });
  const look = (ms: number, losses: number) => {
    dropped += losses;
    watch.look(ms);
    return told.splice(0);
  };
  assert.deepEqual(look(0, 0), ['no DNS_FLOODED']);
  assert.deepEqual(look(5_000, 40_000), ['DNS_FLOODED container loud (172.17.0.2)']);
  // As it was told; a pause ends nothing.
  assert.deepEqual(look(10_000, 1), ['DNS_FLOODED container loud (172.17.0.2)']);
  assert.deepEqual(look(64_000, 0), []);
  atLimit = ['172.17.0.9'];
  assert.deepEqual(look(65_000, 1), ['DNS_FLOODED container loud (172.17.0.2), 172.17.0.9']);
  assert.deepEqual(look(124_000, 0), []);
  assert.deepEqual(look(125_000, 0), ['no DNS_FLOODED']);
  atLimit = [];
  assert.deepEqual(look(130_000, 1), ['DNS_FLOODED one address']);
});
