import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HostsFiles, removeHostsLines } from '../../../src/containers/hosts-files.ts';
import { silent } from '../../../src/lib/log.ts';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { wish } from './hosts-wish.ts';

const id = 'c'.repeat(64);
const engines = '127.0.0.1\tlocalhost\n172.17.0.2\tc1.weave.local c1\n';

async function inFolder(task: (path: string, store: LmdbStore) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'weavets-'));
  const store = LmdbStore.open(join(folder, 'store'));
  try {
    mkdirSync(join(folder, id));
    await task(join(folder, id, 'hosts'), store);
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the file, a mount, is rewritten in place; a later daemon knows our lines and removes them', async () => {
  await inFolder(async (path, store) => {
    writeFileSync(path, engines);
    const { ino } = statSync(path);
    const hosts = await HostsFiles.load(store, silent);
    hosts.ensure(id, path, wish);
    assert.match(readFileSync(path, 'utf8'), /^10\.32\.0\.1\tc1\.weave\.local c1$/m);
    assert.equal(statSync(path).ino, ino);

    // After the write of our records, which is not awaited.
    await store.commit([{ key: 'other', value: '' }]);
    const next = await HostsFiles.load(store, silent);
    assert.deepEqual(next.owners(), [id]);
    next.ensure(id, path, { ...wish, addresses: ['10.32.0.9'] });
    assert.equal(readFileSync(path, 'utf8').match(/^10\./gm)?.length, 1);
    await store.commit([{ key: 'other', value: '' }]);
    await removeHostsLines(store, silent);
    assert.equal(readFileSync(path, 'utf8'), engines);
  });
});

test('anything but a regular file in the container’s folder is refused at once, untouched', async () => {
  await inFolder(async (path, store) => {
    const victim = join(path, '../../victim');
    writeFileSync(victim, engines);
    const hosts = await HostsFiles.load(store, silent);
    const refused = (what: RegExp) => {
      assert.throws(() => hosts.ensure(id, path, wish), what);
      rmSync(path);
    };
    symlinkSync(victim, path);
    refused(/ELOOP/);
    execFileSync('mkfifo', [path]);
    refused(/not a regular file/);
    linkSync(victim, path);
    refused(/another hard link/);
    writeFileSync(path, '\n'.repeat(2 << 20));
    refused(/larger than/);
    assert.throws(() => hosts.ensure(id, victim, wish), /not the engine's own/);
    assert.throws(() => hosts.ensure(id, '', wish), /not the engine's own/);
    assert.equal(readFileSync(victim, 'utf8'), engines);
    assert.deepEqual(hosts.owners(), []);
  });
});
