import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { batchText, IpBatch } from '../../../src/net/ip.ts';

/**
 * A stand-in for `ip -batch -`: answers a job's end as ip does, hangs at a line `hang`, ends at a line `exit` as ip
 * does at an argument that it can't parse, and writes down what it read.
 */
async function standIn(t: TestContext, options: { deadline?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'batch-'));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, 'ip');
  const log = join(folder, 'log');
  const script = `#!/bin/sh
n=0
echo start >>${log}
while read -r line; do
  n=$((n + 1))
  case "$line" in
    hang) exec sleep 1000 ;;
    exit) echo 'Error: argument "x" is wrong' >&2; exit 255 ;;
    *weavets-sync*) echo 'Cannot find device "weavets-sync"' >&2; echo "Command failed -:$n" >&2 ;;
    bad) echo 'no good' >&2; echo "Command failed -:$n" >&2 ;;
    *) echo "$line" >>${log} ;;
  esac
done
`;
  await writeFile(program, script);
  await chmod(program, 0o755);
  const batch = new IpBatch('ip', { program, ...options });
  t.after(() => batch.close());
  return { batch, ran: async () => (await readFile(log, 'utf8')).trim().split('\n') };
}

test("jobs run in order, and a failed line comes with the tool's message", async (t) => {
  const { batch, ran } = await standIn(t);
  const failures = await Promise.all([batch.run(['one']), batch.run(['bad', 'two']), batch.run([])]);
  assert.deepEqual(failures, [[], [{ line: 'bad', message: 'no good' }], []]);
  assert.deepEqual(await ran(), ['start', 'one', 'two']);
});

test('a line that fails is an error, unless it may', async (t) => {
  const { batch, ran } = await standIn(t);
  await batch.runOk(['bad', 'one'], 'bad');
  await assert.rejects(batch.runOk(['two', 'bad'], 'two'), {
    code: 'TOOL_FAILED',
    message: 'ip bad: no good',
  });
  assert.deepEqual(await ran(), ['start', 'one', 'two']);
});

test('many lines run in order, and failures are reported', async (t) => {
  const { batch, ran } = await standIn(t);
  const lines = Array.from({ length: 1_000 }, (_, i) => (i % 300 === 299 ? 'bad' : `line ${i}`));
  const failures = await batch.run(lines);
  assert.deepEqual(failures, Array(3).fill({ line: 'bad', message: 'no good' }));
  assert.deepEqual(
    (await ran()).slice(1),
    lines.filter((line) => line !== 'bad'),
  );
});

test('a tool that hangs is killed and replaced; the new one runs the waiting jobs', async (t) => {
  const { batch, ran } = await standIn(t, { deadline: 10_000 });
  const [first, hung, behind] = await Promise.allSettled([
    batch.run(['one']),
    batch.run(['hang', 'never']),
    batch.run(['two']),
  ]);
  assert.equal(first.status, 'fulfilled');
  assert.match(
    String(hung.status === 'rejected' && hung.reason),
    /ip -batch, at: hang \(pid \d+\) did not end/,
  );
  assert.deepEqual(behind, { status: 'fulfilled', value: [] });
  assert.deepEqual(await batch.run(['three']), []);
  assert.deepEqual(await ran(), ['start', 'one', 'start', 'two', 'three']);
});

test('a tool that exits at a line: the error has its message, and the other jobs run', async (t) => {
  const { batch, ran } = await standIn(t);
  const [ended, behind] = await Promise.allSettled([batch.run(['exit', 'never']), batch.run(['two'])]);
  assert.match(
    String(ended.status === 'rejected' && ended.reason),
    /ip -batch ended \(exit 255\): Error: argument "x" is wrong; at: exit; never/,
  );
  assert.deepEqual(behind, { status: 'fulfilled', value: [] });
  assert.deepEqual(await ran(), ['start', 'start', 'two']);
});

test('a missing tool fails all jobs, with a code', async () => {
  const batch = new IpBatch('ip', { program: '/nowhere/ip' });
  const results = await Promise.allSettled([batch.run(['one']), batch.run(['two'])]);
  for (const result of results)
    assert.equal(result.status === 'rejected' && result.reason.code, 'TOOL_MISSING');
});

test('control characters never reach a tool', async (t) => {
  const { batch, ran } = await standIn(t);
  const evil = 'neigh replace 10.32.0.1\nlink del eth0';
  await assert.rejects(batch.run([evil]), { code: 'TOOL_FAILED', message: /control characters/ });
  assert.throws(() => batchText(['a\rb']), { code: 'TOOL_FAILED' });
  assert.deepEqual(await batch.run(['one']), []);
  assert.deepEqual(await ran(), ['start', 'one']);
});
