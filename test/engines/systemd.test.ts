import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../support/host.ts';
import { buildPackages } from '../support/install-root.ts';
import { SystemdService } from '../support/systemd-service.ts';
import { useHost } from '../support/use-host.ts';

let out = '';
const host = useHost({
  systemd: true,
  prepare: async () => {
    out = await mkdtemp(join(tmpdir(), 'weavets-packages-'));
    const [deb = ''] = await buildPackages(out, 'deb');
    await copyFile(deb, host.path('/root/weavets.deb'));
  },
});
after(() => rm(out, { recursive: true, force: true }));
const service = new SystemdService(host);
/** The package's own command. */
const weavets = (...words: string[]) => host.run(['weavets', ...words]);

test("the package's service", async () => {
  await host.runOk(['dpkg', '-i', '/root/weavets.deb']);
  assert.equal(await service.stateOf('weavets'), 'inactive', 'installed, nothing is started');
  await service.systemctl('enable', '--now', 'weavets');
  assert.equal(await service.stateOf('weavets.socket'), 'active');
  for (const name of ['bbox1', 'bbox2']) await host.proxied('run', '--name', name, '-itd', 'busybox');
  await service.reaches('bbox1', 'bbox2');
});

test("the cluster's etcd, a unit of its own, and wireguard-go outlive a restart", async () => {
  await service.setEnvironment('WEAVE_PASSWORD="correct horse"\n');
  await service.systemctl('restart', 'weavets');
  const made = await weavets('cluster', 'init');
  assert.equal(made.code, 0, made.stderr);
  const pid = await service.pidOf('weavets-etcd');
  assert.match(await host.runOk(['cat', `/proc/${pid}/cmdline`]), /etcd\0--name\0/);
  const encrypting = () => host.run(['pgrep', '-x', 'wireguard-go']);
  const { code, stdout } = await encrypting();
  assert.equal(code, 0);
  await service.systemctl('restart', 'weavets');
  assert.equal((await encrypting()).stdout, stdout);
  await host.runOk(['kill', '-9', await service.pidOf('weavets')]);
  await until('weavets is back', async () => (await weavets('cluster', 'status')).code === 0);
  assert.equal(await service.pidOf('weavets-etcd'), pid);
  assert.equal((await encrypting()).stdout, stdout);
  const backup = await weavets('cluster', 'backup', '/tmp/cluster.backup');
  assert.equal(backup.code, 0, backup.stderr);
  await host.runOk(['test', '-s', '/tmp/cluster.backup']);
  await host.runOk(['kill', '-9', pid]);
  await until('etcd is back', async () => !['0', pid].includes(await service.pidOf('weavets-etcd')));
  await until('the cluster is well', async () => {
    const report = JSON.parse((await weavets('report')).stdout);
    return report.Conditions.length === 0;
  });
  assert.match(await host.proxied('run', '--rm', 'busybox', 'ip', 'addr'), /ethwe/);
});

test('an upgrade restarts it; removed, containers go on; purged, nothing is left', async () => {
  const before = await service.pidOf('weavets');
  await host.runOk(['dpkg', '-i', '/root/weavets.deb']);
  assert.ok(!['0', before].includes(await service.pidOf('weavets')));
  await service.reaches('bbox1', 'bbox2');
  await host.runOk(['dpkg', '-r', 'weavets']);
  assert.notEqual((await host.tryProxied('ps')).code, 0);
  await host.docker('restart', '-t', '1', 'bbox1');
  assert.equal(await host.docker('exec', 'bbox1', 'echo', 'up'), 'up');
  await host.runOk(['dpkg', '-P', 'weavets']);
  assert.doesNotMatch(await host.runOk(['ip', 'link']), /weave|vethwe/);
  assert.doesNotMatch(await host.runOk(['iptables-save']), /WEAVE/);
  assert.equal(await host.runOk(['ls', '/var/lib/weave']), 'shim\n');
  assert.equal((await host.run(['pgrep', '-x', 'etcd|wireguard-go'])).stdout, '');
  assert.equal(await service.known(), '');
});
