import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { run, runOk } from '../../../src/lib/exec.ts';
import { until } from '../../support/host.ts';

test('a tool that hangs is killed at its deadline, and the error says so', async () => {
  const error = await run(['sleep', '1000'], { deadline: 200 }).then(
    () => assert.fail('it ended'),
    (cause: Error) => cause,
  );
  const [, pid] =
    /^sleep 1000 \(pid (\d+)\) did not end within 0.2 s and was killed/.exec(error.message) ?? [];
  assert.ok(pid, error.message);
  await until('it is gone', () => !existsSync(`/proc/${pid}`));
});

test('a tool whose child keeps the pipes open is not waited for', async () => {
  await assert.rejects(run(['sh', '-c', 'sleep 3 & exec sleep 1000'], { deadline: 200 }), {
    code: 'TOOL_FAILED',
  });
});

test('arguments with control characters are refused, except in scripts', async () => {
  await assert.rejects(run(['echo', 'a\nb']), {
    code: 'TOOL_FAILED',
    message: /echo has control characters/,
  });
  assert.equal(await runOk(['echo', 'a\nb'], { script: true }), 'a\nb\n');
});

test('a missing tool: its package is named', async () => {
  await assert.rejects(run(['wg-not-there']), {
    code: 'TOOL_MISSING',
    message: /'wg-not-there' is not installed/,
  });
});

test('without descriptors left, an error with a code, and the process lives on', async () => {
  // In a process of its own: the limit holds for all of it.
  const script = `
    import { openSync } from 'node:fs';
    import { run } from './src/lib/exec.ts';
    import { IpBatch } from './src/net/ip.ts';
    import { NetnsWorker } from './src/net/netns-worker.ts';
    const batch = new IpBatch();
    const worker = new NetnsWorker();
    const netns = openSync('/proc/self/ns/net');
    try { for (;;) openSync('/dev/null'); } catch {}
    const codes = [];
    const note = (error) => codes.push(error.code);
    await run(['true']).catch(note);
    await batch.run(['link show']).catch(note);
    await batch.run(['link show']).catch(note);
    await new Promise((wake) => setTimeout(wake, 50));
    const began = performance.now();
    await worker.run({ openNetns: () => netns }, ['up lo']).catch(note);
    codes.push(performance.now() - began < 20_000);
    console.log(codes.join());
  `;
  const limited = 'ulimit -n 64; exec node --import tsx --input-type=module -e "$1"';
  const out = await run(['sh', '-c', limited, 'sh', script], { script: true, env: process.env });
  assert.equal(out.stdout.trim(), 'TOOL_FAILED,TOOL_FAILED,TOOL_FAILED,TOOL_FAILED,true', out.stderr);
});
