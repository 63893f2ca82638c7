import assert from 'node:assert/strict';
import { test } from 'node:test';
import { names } from '../../../src/doctor/checks/names.ts';

test('a container that has just ended says nothing about the name server', async () => {
  const process = {
    pid: 4_194_303,
    alive: false,
    openNetns: () => {
      throw new Error('ESRCH: no such process');
    },
  };
  const asker = { name: 'gone', process, server: '127.0.0.1:53', hostname: 'gone.weave.local.' };
  assert.equal((await names.run({ askers: () => [asker] })).state, 'skipped');
  const alive = { ...asker, process: { ...process, alive: true } };
  await assert.rejects(names.run({ askers: () => [alive] }), /ESRCH/);
});
