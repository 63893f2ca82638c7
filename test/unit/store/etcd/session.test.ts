import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { EtcdSession } from '../../../../src/store/etcd/session.ts';

test('many calls at once listen for the end of their session without a warning of Node, and end with it', async (t) => {
  const warnings: string[] = [];
  const warned = ({ name }: Error) => void warnings.push(name);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const session = new EtcdSession('http://127.0.0.1:1', {});
  let sent = 0;
  const calls = Array.from({ length: 50 }, () =>
    session.call(() => {
      sent++;
      return new Promise<never>(() => {});
    }, 60_000),
  );
  const ended = Promise.allSettled(calls);
  while (sent < calls.length) await setImmediate();
  session.end(new Error('over'));
  for (const outcome of await ended) assert.equal(outcome.status, 'rejected');
  await setImmediate();
  assert.deepEqual(warnings, []);
});
