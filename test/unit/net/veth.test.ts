import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import type { IpBatch } from '../../../src/net/ip.ts';
import { Veths } from '../../../src/net/veth.ts';

/** Pids of this process's children. */
const children = () =>
  readdirSync('/proc/self/task')
    .flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' '))
    .filter((pid) => pid !== '');

test('a container that has ended before its link is made leaves no process', async () => {
  const veths = new Veths({ ip: {} as IpBatch, mtu: 1376 });
  const openNetns = () => {
    throw new Error('it has ended');
  };
  const spec = { containerId: 'c'.repeat(64), mac: '02:00:00:00:00:01', cidrs: [], multicast: true };
  const before = children();
  // Above the highest pid there is.
  const prepared = veths.prepare({ ...spec, process: { pid: 2 ** 22 + 1, alive: false, openNetns } });
  await assert.rejects(prepared, /it has ended/);
  const left = children().filter((pid) => !before.includes(pid));
  for (const pid of left) process.kill(Number(pid), 'SIGKILL');
  assert.deepEqual(left, []);
});
