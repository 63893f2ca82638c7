import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HeldProcess } from '../../../src/etcd/held-process.ts';
import { memberArgv } from '../../../src/etcd/member-process.ts';
import { unitCommand } from '../../../src/etcd/member-unit.ts';
import { until } from '../../support/until.ts';

test('a process is found again by its file, and no other is mistaken for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weavets-held-'));
  const path = join(folder, 'pid');
  const child = spawn('sleep', ['1000']);
  try {
    await once(child, 'spawn');
    const held = HeldProcess.of(child.pid as number);
    assert.ok(held);
    await held.keep(path);
    const find = (...program: string[]) => HeldProcess.find(path, program);
    assert.equal((await find('sleep', '1000'))?.pid, child.pid);
    assert.equal(await find('sleep', '1001'), undefined);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/"started":"\d+"/, '"started":"1"'));
    assert.equal(await find('sleep'), undefined, 'one that began at another time');
    writeFileSync(path, text.replace(/"boot":"[^"]+"/, '"boot":"x"'));
    assert.equal(await find('sleep'), undefined, 'before a reboot');
    writeFileSync(path, text.slice(0, 9));
    assert.equal(await find('sleep'), undefined, 'a torn file');
    writeFileSync(path, text);
    const ended = once(child, 'exit');
    held.signal('SIGKILL');
    await ended;
    assert.equal(held.alive, false);
    assert.deepEqual(held.argv, []);
    assert.equal(await find('sleep'), undefined);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

test('a process without a file is found by what it runs, but none of a container', async () => {
  const [ours, theirs] = ['1000.25', '1000.75'];
  const children = [
    spawn('sleep', [ours]),
    spawn('unshare', ['-m', 'sh', '-c', `echo; exec sleep ${theirs}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  ] as const;
  try {
    await Promise.all([once(children[0], 'spawn'), once(children[1].stdout, 'data')]);
    assert.equal(HeldProcess.running(['sleep', ours])?.pid, children[0].pid);
    await until('it runs', () =>
      readFileSync(`/proc/${children[1].pid}/cmdline`, 'utf8').startsWith('sleep'),
    );
    assert.equal(HeldProcess.running(['sleep', theirs]), undefined);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
});

test('systemd runs it as its own unit, which can write only to its folder', () => {
  const argv = unitCommand({ argv: ['etcd', '--name', 'x'], env: { A: 'b' }, folder: '/f', log: '/f/log' });
  assert.equal(argv[0], 'systemd-run');
  assert.deepEqual(argv.slice(argv.indexOf('--') + 1), ['etcd', '--name', 'x']);
  for (const word of ['--unit=weavets-etcd.service', '--setenv=A=b', '--property=ReadWritePaths=/f']) {
    assert.ok(argv.includes(word), word);
  }
});

test('etcd is given room for its data, and an hour of its history', () => {
  const begin = { cluster: { one: '10.0.0.1' }, state: 'new' as const, token: 'x' };
  const argv = memberArgv({ folder: '/f', name: 'one', address: '10.0.0.1', begin });
  assert.equal(argv[argv.indexOf('--quota-backend-bytes') + 1], '2147483648');
  assert.equal(argv[argv.indexOf('--initial-cluster') + 1], 'one=https://10.0.0.1:6787');
});
