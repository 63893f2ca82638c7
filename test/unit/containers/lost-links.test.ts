import assert from 'node:assert/strict';
import test from 'node:test';
import type { Attachment } from '../../../src/containers/attachments.ts';
import { type LostLinksDeps, restoreLinks } from '../../../src/containers/lost-links.ts';
import { KeyedLock } from '../../../src/lib/lock.ts';

test('a link that has gone is made again, but for a container that is just being attached', async () => {
  const lock = new KeyedLock();
  // No link of this machine is named by such a pid.
  const info = { id: 'a'.repeat(64), name: 'web', pid: 99_999_999 };
  const attachment = { info, process: { alive: true } } as unknown as Attachment;
  const done: string[] = [];
  const deps = {
    attachments: {
      list: () => [attachment],
      get: () => attachment,
      attach: async ({ name }) => void done.push(`attached ${name}`),
    },
    veths: { removeRules: async () => void done.push('removed its rules') },
    lock,
  } satisfies LostLinksDeps;
  let end = () => {};
  const attaching = lock.run(info.id, () => new Promise<void>((resolve) => (end = resolve)));
  // It would wait for an engine that takes its time to start it.
  assert.deepEqual(await restoreLinks(deps), []);
  assert.deepEqual(done, []);
  end();
  await attaching;
  await lock.idle(info.id);
  assert.deepEqual(await restoreLinks(deps), ['web']);
  assert.deepEqual(done, ['removed its rules', 'attached web']);
});
