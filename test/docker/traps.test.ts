import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { RawClient } from '../support/proxied.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ launch: [] });

const docker = (socket: 'weave/weave' | 'docker', ...args: string[]) =>
  host.run(['docker', '-H', `unix:///var/run/${socket}.sock`, ...args]);
const open = (socket: 'weave/weave' | 'docker') =>
  new RawClient(connect({ path: host.path(`/run/${socket}.sock`), allowHalfOpen: true }));

test('cleartext HTTP/2, directly and by upgrade, is answered as by the engine', async () => {
  const upgrade = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: SOCKET\r\n\r\n`;
  for (const first of [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    upgrade('/session'),
    upgrade('/grpc'),
  ]) {
    const heads: string[] = [];
    for (const socket of ['docker', 'weave/weave'] as const) {
      // The engine has each session once.
      const client = open(socket).send(first.replace('SOCKET', socket));
      const text = await client.until(
        (all, { ended }) => ended || all.includes('\r\n\r\n') || all.length >= lengthOfFrame(all),
      );
      heads.push(
        text.startsWith('\0') ? text.slice(0, lengthOfFrame(text)) : (text.split('\r\n\r\n')[0] ?? ''),
      );
      client.socket.destroy();
    }
    assert.ok(heads[0]);
    // Asked one after the other, maybe in another second.
    const [direct, proxied] = heads.map((head) => head.replace(/Date: [^\r]+/, 'Date: -'));
    assert.equal(proxied, direct, first);
  }
});

/** Bytes of the frame of HTTP/2 that the text begins with: its head says how many follow. */
function lengthOfFrame(text: string): number {
  return text.startsWith('\0') && text.length >= 9
    ? 9 + Buffer.from(text, 'latin1').readUIntBE(0, 3)
    : Infinity;
}

test('attach by websocket', async () => {
  await host.proxied('run', '-di', '--name', 'ws', 'busybox', 'cat');
  const client = open('weave/weave').send(
    'GET /containers/ws/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nOrigin: http://d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await client.until((text) => /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/.test(text));
  // One masked text frame, with a mask of zeros.
  client.send(Buffer.from([0x81, 0x86, 0, 0, 0, 0, ...Buffer.from('hello\n')]));
  await client.until((text) => text.endsWith('hello\n'));
  client.socket.destroy();
  await host.docker('rm', '-f', 'ws');
});

test('a health check is run by the engine, not by the shim', async () => {
  await host.proxied(
    'run',
    '-d',
    '--name',
    'healthy',
    '--health-cmd',
    'test -e /w/w',
    '--health-interval',
    '1s',
    'busybox',
    'sleep',
    '1000',
  );
  const { Config } = JSON.parse((await host.docker('inspect', 'healthy')).slice(1, -1));
  assert.deepEqual(Config.Healthcheck.Test, ['CMD-SHELL', 'test -e /w/w']);
  await host.shell(
    'until docker inspect -f "{{.State.Health.Status}}" healthy | grep -qx healthy; do sleep 0.1; done',
  );
  const { State } = JSON.parse((await host.docker('inspect', 'healthy')).slice(1, -1));
  assert.equal(State.Health.Log[0].ExitCode, 0);
  await host.docker('rm', '-f', 'healthy');
});

test('checkpoints: the engine’s own answer', async () => {
  await host.proxied('run', '-d', '--name', 'checked', 'busybox', 'sleep', '1000');
  for (const args of [
    ['checkpoint', 'create', 'checked', 'one'],
    ['start', '--checkpoint', 'one', 'checked'],
  ]) {
    const [direct, proxied] = [await docker('docker', ...args), await docker('weave/weave', ...args)];
    assert.notEqual(direct.code, 0);
    assert.deepEqual(proxied, direct);
  }
  await host.docker('rm', '-f', 'checked');
});

test('--platform: the machine’s own, and one the image lacks', async () => {
  for (const platform of ['linux/amd64', 'linux/s390x', 'no/such/one/at/all']) {
    const args = ['run', '--rm', '--pull', 'never', '--platform', platform, 'busybox', 'echo', 'ran'];
    const [direct, proxied] = [await docker('docker', ...args), await docker('weave/weave', ...args)];
    assert.deepEqual([proxied.code, proxied.stdout], [direct.code, direct.stdout], platform);
  }
});

test('--rm and an instant exit: no error, nothing left', async () => {
  for (let turn = 0; turn < 3; turn++) {
    const { code, stdout, stderr } = await docker('weave/weave', 'run', '--rm', 'busybox', 'echo', 'brief');
    assert.deepEqual([code, stdout, stderr], [0, 'brief\n', '']);
  }
  assert.equal(await host.docker('ps', '-aq'), '');
});

test('userns-remap: attached, waits, has its name', async () => {
  await host.stopEngine();
  await host.startEngine(['--userns-remap', 'default']);
  await host.importBusybox();
  const shown = await docker(
    'weave/weave',
    'run',
    '--rm',
    '--name',
    'mapped',
    'busybox',
    'sh',
    '-c',
    'cat /proc/self/uid_map; ip -4 addr show ethwe; hostname; cat /etc/hosts',
  );
  assert.equal(shown.code, 0, shown.stderr);
  assert.doesNotMatch(shown.stdout, /^ *0 +0 /m);
  assert.match(shown.stdout, /inet 10\.32\.\d+\.\d+\/12 /);
  assert.match(shown.stdout, /^10\.32\.\d+\.\d+\tmapped\.weave\.local mapped$/m);
});
