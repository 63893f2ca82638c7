import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildPackages, InstallRoot } from '../support/install-root.ts';
import { assertPurged } from '../support/purged.ts';
import { until } from '../support/until.ts';
import { useHost } from '../support/use-host.ts';

let out = '';
let root: InstallRoot;
const host = useHost({
  prepare: async () => {
    out = await mkdtemp(join(tmpdir(), 'weavets-packages-'));
    const [deb = ''] = await buildPackages(out, 'deb');
    root = await InstallRoot.create(host, '/');
    await root.copy(deb, '/weavets.deb');
  },
});
after(() => rm(out, { recursive: true, force: true }));

const addressOf = async (name: string) =>
  /inet ([\d.]+)/.exec(await host.docker('exec', name, 'ip', '-4', 'addr', 'show', 'ethwe'))?.[1];

test('the package brings the command, its own Node.js, units, completions and manual', async () => {
  await root.runOk(['dpkg', '-i', '/weavets.deb']);
  assert.match(await root.runOk(['weavets', 'version']), /^weavets \d+\.\d+\.\d+/);
  assert.match(
    await root.runOk(['head', '-1', '/usr/bin/weavets']),
    /^#!\/usr\/lib\/weavets\/node\/bin\/node$/m,
  );
  const unit = '/usr/lib/systemd/system/weavets.service';
  assert.match(await root.runOk(['cat', unit]), /^ExecStart=\/usr\/lib\/weavets\/node\/bin\/node /m);
  assert.deepEqual(await root.run(['systemd-analyze', 'verify', unit]), { code: 0, stdout: '', stderr: '' });
  assert.equal(await root.runOk(['stat', '-c', '%a %U', '/etc/default/weavets']), '600 root\n');
  assert.match(await root.runOk(['zcat', '/usr/share/man/man1/weavets.1.gz']), /^\.TH WEAVETS 1/m);
  await root.runOk(['bash', '-n', '/usr/share/bash-completion/completions/weavets']);
});

test('what it installs runs the network', async () => {
  assert.deepEqual((await root.run(['weavets', 'launch'])).code, 0);
  assert.match(await host.runOk(['curl', '-sS', 'http://127.0.0.1:6782/']), /<title>.*weavets/i);
  await host.proxied('run', '-d', '--name', 'one', '--restart', 'always', 'busybox', 'sleep', '100000');
  await host.proxied('run', '-d', '--name', 'two', 'busybox', 'sleep', '100000');
  assert.match(await host.docker('exec', 'one', 'ping', '-c', '1', 'two'), / 0% packet loss/);
});

test('an upgrade leaves the daemon that runs alone, and says what starts the new one', async () => {
  const { code, stderr } = await root.run(['dpkg', '-i', '/weavets.deb']);
  assert.equal(code, 0);
  assert.match(stderr, /weavets stop && weavets launch --resume/);
  assert.match(await host.docker('exec', 'two', 'ping', '-c', '1', 'one'), / 0% packet loss/);
});

test('removed, containers go on and start by themselves; installed again, they have their addresses', async () => {
  const before = await addressOf('one');
  await root.runOk(['dpkg', '-r', 'weavets']);
  assert.notEqual((await host.tryProxied('ps')).code, 0);
  assert.equal(await addressOf('one'), before);
  await host.docker('restart', '-t', '1', 'two');
  assert.equal(await host.docker('exec', 'two', 'echo', 'up'), 'up');
  await root.runOk(['dpkg', '-i', '/weavets.deb']);
  await root.runOk(['weavets', 'launch']);
  assert.equal(await addressOf('one'), before);
  await until('they reach each other', async () =>
    (await host.tryDocker('exec', 'two', 'ping', '-c', '1', 'one')).stdout.includes(' 0% packet loss'),
  );
});

test('purged, nothing of it is left but what containers run, which start without it', async () => {
  await root.runOk(['dpkg', '-P', 'weavets']);
  await assertPurged(host, root, ['one', 'two']);
});
