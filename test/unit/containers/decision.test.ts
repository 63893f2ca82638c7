import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideFor } from '../../../src/containers/decision.ts';
import type { Override } from '../../../src/containers/overrides.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import { Cidr } from '../../../src/model/address.ts';

const options = { defaultIpalloc: true, attachUserNetworks: false };
const shim = (mode: string) => ({ source: `/var/lib/weave/shim/${mode}`, target: '/w' });

/** Whether it is attached. */
function attached(info: Partial<ContainerInfo>, override?: Override, flags: Partial<typeof options> = {}) {
  const container = { networkMode: 'bridge', env: [], labels: {}, pid: 5, running: true, ...info };
  return decideFor(container as unknown as ContainerInfo, override, { ...options, ...flags }).attach;
}

test('a container with a shim that waits is attached whatever the flags are, unless it never was to be', () => {
  const none = { defaultIpalloc: false };
  for (const mode of ['wait', 'multicast']) {
    assert.equal(attached({ shim: shim(mode) }, undefined, none), true);
    assert.equal(attached({ shim: shim(mode), networkMode: 'own' }), true);
    assert.equal(attached({ shim: shim(mode), env: ['WEAVE_CIDR=none'] }), false);
  }
  for (const other of [undefined, shim('nowait')]) {
    assert.equal(attached({ shim: other }, undefined, none), false);
    assert.equal(attached({ shim: other, networkMode: 'own' }), false);
  }
});

test('detached it stays for that run; without a shim that waits, for good', () => {
  const detached = { cidrs: [], run: 5 };
  assert.equal(attached({ shim: shim('wait') }, detached), false);
  assert.equal(attached({ shim: shim('wait'), pid: 6 }, detached), true);
  assert.equal(attached({ shim: shim('wait'), pid: 0, running: false }, detached), true);
  assert.equal(attached({ pid: 6, shim: undefined }, detached), false);
  // Of an earlier version.
  assert.equal(attached({ shim: shim('wait'), pid: 6 }, { cidrs: [] }), false);
  assert.equal(attached({ shim: shim('wait'), running: false }, { cidrs: [] }), true);
  const some = { cidrs: [Cidr.parse('10.32.0.9/12')], run: 5 };
  for (const pid of [5, 6]) assert.equal(attached({ shim: shim('wait'), pid }, some), true);
});
