import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeRules } from '../../../src/daemon/host-firewall.ts';

test("etcd's ports are closed to containers as soon as the host is in a cluster, launched so or not", async () => {
  const network = { links: [], routes: [] } as never;
  const alone = await storeRules([], { known: [4040], network });
  assert.deepEqual(alone, { storeMembers: [], closedPorts: [4040] });
  const joined = await storeRules(['10.0.0.2:6786'], { known: [4040], network });
  assert.deepEqual(joined.storeMembers, [{ address: '10.0.0.2', port: 6786 }]);
  assert.deepEqual(joined.closedPorts, [2379, 2380, 4040, 6786, 6787]);
});
