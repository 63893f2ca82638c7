import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseResolvConf, readResolvConf } from '../../../src/dns/resolv-conf.ts';

test('reads servers and search domains as the C libraries do', () => {
  const text =
    '# search no\nnameserver 9.9.9.9\n nameserver\t::1 \nnameserver x\ndomain a.test b\nsearch c.test  d.test .\n';
  assert.deepEqual(parseResolvConf(text), { servers: ['9.9.9.9', '::1'], search: ['c.test', 'd.test'] });
  assert.deepEqual(parseResolvConf('search a.test\ndomain b.test c.test'), {
    servers: [],
    search: ['b.test'],
  });
});

test('a symbolic link in another root is resolved in that root', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'root-'));
  t.after(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'etc'));
  await mkdir(join(root, 'run'));
  await writeFile(join(root, 'run/stub.conf'), 'nameserver 192.0.2.1\n');
  const path = join(root, 'etc/resolv.conf');
  for (const target of ['/run/stub.conf', '../run/stub.conf']) {
    await symlink(target, path);
    assert.equal(readResolvConf(path), 'nameserver 192.0.2.1\n');
    await rm(path);
  }
  assert.equal(readResolvConf(path), readResolvConf('/etc/resolv.conf'), 'nothing there: our own');
});
