import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost();
const filler = (folder: string) => `${folder}/filler`;

/** Puts a small disk at a folder, in place of what is there. */
const mountDisk = (folder: string, size: string) =>
  host.runOk(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
const fill = (folder: string) => host.shell(`cat /dev/zero > ${filler(folder)}`);
const makeRoom = (folder: string) => host.runOk(['rm', filler(folder)]);

const status = async () => (await host.weavets('status')).stdout;
const running = () => host.docker('ps', '-q');

test("the log's disk is full: everything goes on, status says so, and the log counts the lost lines", async () => {
  await mountDisk('/var/log', '256k');
  const pid = await host.launch('--log-level', 'debug');
  await host.proxied('run', '-d', '--name', 'before', 'busybox', 'sleep', '100000');
  await fill('/var/log');
  for (const name of ['during1', 'during2', 'during3']) {
    await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
  }
  await until('the status says so', async () => /cannot write the log.*ENOSPC/.test(await status()));
  await host.proxied('exec', 'during3', 'ping', '-c1', 'during1');
  await makeRoom('/var/log');
  await until('the status is clean', async () => !/cannot write the log/.test(await status()));
  const log = await host.runOk(['cat', '/var/log/weavets.log']);
  assert.match(
    log,
    /\d+ lines of the log were lost: cannot write the log to \/var\/log\/weavets.log \(ENOSPC\)/,
  );
  for (const line of log.trimEnd().split('\n'))
    if (!isJson(line)) assert.match(line, /^\{.*[^}]$/, 'a line cut short');
  assert.equal((await host.weavets('stop')).code, 0);
  assert.notEqual((await host.run(['kill', '-0', pid])).code, 0);
  await host.runOk(['umount', '-l', '/var/log']);
  await host.removeContainers();
  await host.weavets('reset', '--force');
});

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

test('a log moved by others is reopened on SIGHUP', async () => {
  const pid = await host.launch();
  await host.runOk(['mv', '/var/log/weavets.log', '/var/log/weavets.log.1']);
  await host.runOk(['kill', '-HUP', pid]);
  await host.proxied('run', '--rm', '--name', 'logged', 'busybox', 'true');
  await until(
    'the new file has lines',
    async () => (await host.run(['test', '-s', '/var/log/weavets.log'])).code === 0,
  );
  await host.weavets('reset', '--force');
  assert.equal((await host.shell('ls /var/log/weavets.log*')).stdout, '');
});

test("the state's disk is full: launch fails with the reason, and works once there is space", async () => {
  // The engine has to see it as well: containers bind the shim from there.
  await host.stopEngine();
  await mountDisk('/var/lib/weave', '8m');
  await host.startEngine();
  await fill('/var/lib/weave');
  const refused = await host.weavets('launch');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /disk|space/);
  assert.equal((await host.weavets('status')).code, 1);
  await makeRoom('/var/lib/weave');
  await host.launch();
});

test('the disk fills while the daemon runs: starts fail with the reason, leave nothing, then work again', async () => {
  await host.proxied('run', '-d', '--name', 'old', 'busybox', 'sleep', '100000');
  await fill('/var/lib/weave');
  const before = await running();
  let refused = { code: 0, stderr: '' };
  // The state has a few free pages of its own; containers that stay use them up.
  for (let number = 0; number < 300 && refused.code === 0; number++) {
    refused = await host.tryProxied('run', '--name', `late${number}`, 'busybox', 'true');
  }
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /cannot write the state.*is the disk full\?/);
  await until('nothing else runs', async () => (await running()) === before);
  await host.proxied('exec', 'old', 'ping', '-c1', 'old');
  await makeRoom('/var/lib/weave');
  await host.proxied('run', '-d', '--name', 'new', 'busybox', 'sleep', '100000');
  await host.proxied('exec', 'new', 'ping', '-c1', 'old');
  const addresses = (await host.weavets('ps')).stdout.match(/\d+(\.\d+){3}/g) ?? [];
  assert.equal(new Set(addresses).size, addresses.length);
  await host.removeContainers();
  await host.weavets('reset', '--force');
  await host.stopEngine();
  await host.runOk(['umount', '-l', '/var/lib/weave']);
  await host.startEngine();
});

test('out of file descriptors: clients are refused, and the daemon survives and recovers', async () => {
  const pid = await host.launch();
  await host.proxied('run', '-d', '--name', 'first', 'busybox', 'sleep', '100000');
  const open = Number((await host.shell(`ls /proc/${pid}/fd | wc -l`)).stdout);
  await host.runOk(['prlimit', '--pid', pid, `--nofile=${open + 6}:`]);
  const clients: Socket[] = [];
  for (let number = 0; number < 20; number++) {
    const client = connect(host.socketPath('proxy'));
    client.on('error', () => {});
    clients.push(client);
  }
  const late = host.spawn([
    'docker',
    '-H',
    host.proxySocket,
    'run',
    '-d',
    '--name',
    'late',
    'busybox',
    'sleep',
    '1000',
  ]);
  const ended = new Promise((resolve) => late.once('exit', resolve));
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 3_000))]);
  for (const client of clients) client.destroy();
  await host.runOk(['prlimit', '--pid', pid, '--nofile=4096:']);
  await ended;
  assert.equal((await host.run(['kill', '-0', pid])).code, 0);
  await host.proxied('run', '-d', '--name', 'then', 'busybox', 'sleep', '100000');
  await host.proxied('exec', 'then', 'ping', '-c1', 'first');
  assert.match(await status(), /Status: ready/);
  await host.removeContainers();
});
