import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { until, weavets } from '../support/host.ts';
import { SystemdService } from '../support/systemd-service.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ systemd: true });
const service = new SystemdService(host);
const report = async () => JSON.parse((await host.weavets('report')).stdout);

test('install-service --install, and the transcript', async () => {
  const { code, stdout, stderr } = await host.weavets('install-service', '--install');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /weavets\.socket\n.*weavets\.service\n\/etc\/default\/weavets\n$/);
  assert.equal(await host.runOk(['stat', '-c', '%a %U %G', '/run/weave/weave.sock']), '660 root docker\n');
  const typed = await host.shell(`set -e; PATH=${dirname(weavets)}:$PATH
    eval $(weavets env)
    docker run --name bbox1 -itd busybox; docker run --name bbox2 -itd busybox
    docker exec bbox1 ip -4 addr show ethwe; docker exec bbox1 hostname; docker exec bbox1 ping -c 1 bbox2
    docker ps --format '{{.Names}} {{.Command}}'
    eval $(weavets env --restore)`);
  assert.match(
    typed.stdout,
    /inet 10\.32\.0\.1\/12 .*ethwe[\s\S]*^bbox1\.weave\.local$[\s\S]* 0% packet loss[\s\S]*^bbox2 "\/w\/w sh"\nbbox1 "\/w\/w sh"$/m,
    typed.stderr,
  );
});

test('its sandbox lets it do all that it does without', async () => {
  // A hostname is set in the container's own namespace.
  await host.docker('rename', 'bbox1', 'other');
  await host.proxied('restart', '-t', '1', 'other');
  assert.equal(await host.docker('exec', 'other', 'hostname'), 'other.weave.local');
  await host.docker('rename', 'other', 'bbox1');
  await host.proxied('restart', '-t', '1', 'bbox1');
  const exposed = await host.weavets('expose', '--hosts-file');
  assert.deepEqual([exposed.code, exposed.stderr], [0, '']);
  assert.match(await host.runOk(['getent', 'hosts', 'bbox2.weave.local']), /^10\.32\.0\.2 /);
  assert.equal((await host.weavets('hide')).code, 0);
  assert.doesNotMatch(await host.runOk(['cat', '/etc/hosts']), /weave/);
  const { code, stdout } = await host.weavets('doctor');
  assert.equal(code, 0, stdout);
  assert.deepEqual((await report()).Conditions, []);
  const score = await host.run(['systemd-analyze', 'security', '--threshold=46', '--no-pager', 'weavets']);
  assert.equal(score.code, 0, score.stdout.slice(-300));
});

test('its log is in the journal, each line with its priority', async () => {
  const unit = ['-u', 'weavets'];
  assert.match(await service.journal(...unit, '-p', 'info'), /^\{"level":30,.*"msg":"ready"\}$/m);
  assert.doesNotMatch(await service.journal(...unit, '-p', 'warning'), /"level":30/);
  await service.systemctl('stop', 'docker.socket', 'docker.service');
  await until('the journal has a warning', async () =>
    /"level":[45]0/.test(await service.journal(...unit, '-p', 'warning')),
  );
  await service.systemctl('start', 'docker.service');
  await host.docker('start', 'bbox1', 'bbox2');
  await until('all is well', async () => (await report()).Conditions.length === 0);
});

test('restarted or killed it is back, clients wait meanwhile, and containers keep their network', async () => {
  const pinging = host.spawn(['docker', 'exec', 'bbox1', 'ping', '-c', '6', '10.32.0.2']);
  let said = '';
  for (const output of [pinging.stdout, pinging.stderr]) output?.on('data', (text) => (said += text));
  const pinged = new Promise((resolve) => pinging.once('close', resolve));
  await service.systemctl('restart', 'weavets');
  const before = await service.pidOf('weavets');
  await host.runOk(['kill', '-9', before]);
  assert.match(await host.proxied('run', '--rm', 'busybox', 'ip', 'addr', 'show', 'ethwe'), /inet 10\.32\./);
  await until('the service is back', async () => (await service.stateOf('weavets')) === 'active');
  assert.notEqual(await service.pidOf('weavets'), before);
  await pinged;
  assert.match(said, / 0% packet loss/);
  await service.reaches('bbox2', 'bbox1');
});

test('stopped by hand it is not started by a client; launched by hand, its socket is not taken', async () => {
  assert.deepEqual(await host.weavets('stop'), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(
    [await service.stateOf('weavets.socket'), await service.stateOf('weavets')],
    ['inactive', 'inactive'],
  );
  assert.notEqual((await host.tryProxied('ps')).code, 0);
  await service.reaches('bbox2', '10.32.0.1');
  await host.launch();
  const refused = await host.run(['systemctl', 'start', 'weavets']);
  assert.notEqual(refused.code, 0);
  assert.match(
    await service.journal('-u', 'weavets.socket'),
    /weavets runs, but not under systemd.*weavets stop/,
  );
  await service.reaches('bbox2', 'bbox1');
  assert.equal((await host.weavets('stop')).code, 0);
  await service.systemctl('start', 'weavets');
  await service.systemctl('stop', 'weavets.service');
  const beside = await host.weavets('launch');
  assert.match(beside.stderr, /systemd has weavets' socket.*ALREADY_RUNNING/);
  // At its socket, a client starts it.
  assert.match(await host.proxied('ps'), /bbox1/);
});

test('a start that lasting trouble ends is not tried again, says why, and lets no client wait', async () => {
  const refused = async (why: RegExp) => {
    await service.systemctl('start', 'weavets.socket');
    // Whoever starts it is told, and who comes later.
    for (const client of ['first', 'second'])
      assert.equal(
        (await host.run(['timeout', '60', 'docker', '-H', host.proxySocket, 'ps'])).code,
        1,
        client,
      );
    await until('systemd has given it up', async () => (await service.stateOf('weavets')) === 'failed');
    assert.equal(await service.stateOf('weavets.socket'), 'inactive');
    assert.equal(await service.systemctl('show', '--property=NRestarts', '--value', 'weavets'), '0\n');
    const { stdout } = await host.run(['systemctl', 'status', '--no-pager', '-l', 'weavets']);
    assert.match(stdout, why);
    assert.match(stdout, /weavets is not started again.*: systemctl start weavets$/m);
  };
  await service.systemctl('stop', 'weavets.socket', 'weavets.service');
  await service.setEnvironment('WEAVETS_FLAGS="--dns-ttl soon"\n');
  await refused(/--dns-ttl: 'soon' is not a number.*\(USAGE\)/);
  // However often it is typed.
  for (let i = 0; i < 8; i++) {
    const typed = await host.run(['systemctl', 'start', 'weavets']);
    assert.match(typed.stderr, /Job for weavets.service failed/);
  }
  await service.setEnvironment('');
  await host.shell('mv /var/lib/weave/store /var/lib/weave/kept && : > /var/lib/weave/store');
  await refused(/cannot .* the state in .*\(STATE_CORRUPT\)/);
  await host.shell('rm -r /var/lib/weave/store && mv /var/lib/weave/kept /var/lib/weave/store');
});

test('what may pass is tried until it has passed, and the client that waited is served', async () => {
  await host.runOk(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', '/var/lib/weave/store']);
  await service.systemctl('start', 'weavets.socket');
  const client = host.proxied('ps');
  await until('it was tried again', async () => {
    return Number(await service.systemctl('show', '--property=NRestarts', '--value', 'weavets')) > 0;
  });
  assert.match(await service.journal('-u', 'weavets'), /cannot write the state.*\(STORE_UNAVAILABLE\)/);
  await host.runOk(['umount', '-l', '/var/lib/weave/store']);
  assert.match(await client, /bbox1/);
});

test('reset leaves a service that can start again; uninstalled, nothing is left', async () => {
  assert.equal((await host.weavets('reset')).code, 0);
  assert.doesNotMatch(await host.runOk(['ip', 'link']), /weave/);
  await service.systemctl('start', 'weavets');
  assert.match(await host.proxied('run', '--rm', 'busybox', 'ip', 'addr'), /inet 10\.32\./);
  assert.equal((await host.weavets('uninstall', '--force')).code, 0);
  assert.equal(await service.known(), '');
  assert.doesNotMatch(await host.runOk(['ip', 'link']), /weave/);
});
