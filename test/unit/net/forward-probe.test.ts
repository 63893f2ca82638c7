import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removeEnds } from '../../../src/net/forward-probe.ts';

test("a probe's links are removed even if the tool is killed at it", async () => {
  let runs = 0;
  const removed: string[] = [];
  const run = async (lines: readonly string[]) => {
    if (++runs < 3) throw new Error('ip -batch ended (SIGKILL)');
    removed.push(...lines);
    return [];
  };
  await removeEnds({ run });
  assert.deepEqual(removed, ['link del vethwe-pa', 'link del vethwe-pb']);
});
