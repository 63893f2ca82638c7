import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StartWatch } from '../../../src/containers/start-watch.ts';
import { until } from '../../support/until.ts';

const id = 'd'.repeat(64);

async function watched(task: (folder: string, watch: StartWatch) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'weavets-'));
  mkdirSync(join(folder, 'tasks'));
  mkdirSync(join(folder, 'runtimes'));
  try {
    const watch = new StartWatch({
      tasks: ['/nowhere', join(folder, 'tasks')],
      runtimes: [join(folder, 'runtimes')],
    });
    await task(folder, watch);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('what is found in one folder ends the waiting in all', async () => {
  await watched(async (folder) => {
    const runtimes = ['runtimes', 'others'].map((name) => join(folder, name));
    mkdirSync(join(folder, 'others'));
    mkdirSync(join(folder, 'runtimes', id));
    const watches = () =>
      readdirSync('/proc/self/fdinfo')
        .map((fd) => {
          try {
            return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify wd/gm)?.length ?? 0;
          } catch {
            return 0;
          }
        })
        .reduce((sum, count) => sum + count, 0);
    const before = watches();
    const watch = new StartWatch({ tasks: [], runtimes });
    assert.equal(await watch.begun(id, new AbortController().signal), true);
    assert.equal(watches(), before);
  });
});

test('a stale init.pid of a process that is not the container’s is ignored', async () => {
  await watched(async (folder, watch) => {
    mkdirSync(join(folder, 'tasks', id));
    writeFileSync(join(folder, 'tasks', id, 'init.pid'), String(process.pid));
    const stop = new AbortController();
    const found = watch.processOf(id, { signal: stop.signal, not: 0 });
    const first = await Promise.race([found, new Promise((resolve) => setImmediate(resolve, 'waits'))]);
    assert.equal(first, 'waits');
    stop.abort();
    assert.equal(await found, undefined);
  });
});

test('a container begins when the runtime removes its FIFO, in a folder made meanwhile', async () => {
  await watched(async (folder, watch) => {
    const state = join(folder, 'runtimes', id);
    let begun = false;
    void watch.begun(id, new AbortController().signal).then((known) => {
      begun = known === true;
    });
    // As runc: the FIFO is in the folder before that has its name.
    mkdirSync(join(folder, 'made'));
    writeFileSync(join(folder, 'made', 'exec.fifo'), '');
    renameSync(join(folder, 'made'), state);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(begun, false);
    rmSync(join(state, 'exec.fifo'));
    await until('it has begun', () => begun);
  });
});
