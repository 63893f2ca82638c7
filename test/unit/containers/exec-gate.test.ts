import assert from 'node:assert/strict';
import test from 'node:test';
import { ExecGate } from '../../../src/containers/exec-gate.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';

const shim = { source: '/var/lib/weave/shim/wait', target: '/w' };

/** The calls until the command may run. */
async function asked(info: Partial<ContainerInfo> | undefined, attachedPid?: number): Promise<string[]> {
  const calls: string[] = [];
  const found = info && ({ id: 'c1', running: true, pid: 7, shim, ...info } as ContainerInfo);
  const gate = new ExecGate({
    engine: { inspect: async () => found },
    attachments: {
      get: () =>
        attachedPid === undefined ? undefined : { info: { ...found, pid: attachedPid } as ContainerInfo },
    },
    reconciler: {
      settled: async () => void calls.push('settled'),
      reconcile: async () => {
        calls.push('reconcile');
        throw new Error('it can’t be attached');
      },
    },
  });
  await gate.attached('c1');
  return calls;
}

test('a command waits for pending work and a missing attachment; a failure does not hold it', async () => {
  assert.deepEqual(await asked({}, 7), ['settled']);
  assert.deepEqual(await asked({}), ['settled', 'reconcile']);
  assert.deepEqual(await asked({}, 6), ['settled', 'reconcile'], 'of an earlier run');
});

test('a command in an unattached or stopped container is not held', async () => {
  for (const info of [undefined, { running: false }, { shim: undefined }])
    assert.deepEqual(await asked(info), []);
});
