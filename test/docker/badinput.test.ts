import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost();
afterEach(async () => {
  await host.weavets('reset');
  await host.removeContainers();
});

const run = (...args: string[]) => host.tryProxied('run', '-d', ...args, 'busybox', 'sleep', '1000');
/** Nothing runs, nothing is on the bridge, no address is held. */
async function nothingHalfDone(): Promise<void> {
  assert.equal(await host.docker('ps', '-q'), '');
  assert.equal((await host.weavets('ps')).stdout.trim().split('\n').length, 1);
  assert.doesNotMatch((await host.shell('ip -o link')).stdout, /vethwepl/);
}

test('an address already in use', async () => {
  await host.launch();
  await run('--name', 'first', '-e', 'WEAVE_CIDR=10.32.5.5/24');
  const { code, stderr } = await run('--name', 'second', '-e', 'WEAVE_CIDR=10.32.5.5/24');
  assert.notEqual(code, 0);
  assert.match(stderr, /10\.32\.5\.5 is already in use by container [0-9a-f]{12}/);
  assert.equal(await host.docker('ps', '--format', '{{.Names}}'), 'first');
  // With --rm it is gone, as when the engine can't start it; the client waits for that.
  const brief = await host.tryProxied(
    ...['run', '--rm', '--name', 'brief', '-e', 'WEAVE_CIDR=10.32.5.5/24', 'busybox', 'true'],
  );
  assert.equal(brief.code, 125, brief.stderr);
  assert.equal(await host.docker('ps', '-aq', '--filter', 'name=brief'), '');
  assert.match(await host.docker('exec', 'first', 'ip', 'addr', 'show', 'ethwe'), /10\.32\.5\.5\/24/);
});

test('a subnet with no free address', async () => {
  await host.launch();
  await run('-e', 'WEAVE_CIDR=net:10.32.6.0/30');
  await run('-e', 'WEAVE_CIDR=net:10.32.6.0/30');
  const { code, stderr } = await run('-e', 'WEAVE_CIDR=net:10.32.6.0/30');
  assert.notEqual(code, 0);
  assert.match(stderr, /no free address in 10\.32\.6\.0\/30/);
  assert.equal((await host.docker('ps', '-q')).split('\n').length, 2);
});

test('a malformed WEAVE_CIDR is refused at create', async () => {
  await host.launch();
  for (const value of ['10.2.1.1', '10.2.1.1/33', 'net:10.2.1.300/24', 'none 10.2.1.1/24', '10.02.1.1/24']) {
    const { code, stderr } = await run('-e', `WEAVE_CIDR=${value}`);
    assert.notEqual(code, 0, value);
    assert.match(stderr, /WEAVE_CIDR|10\.2\.1\.|is not an/, value);
  }
  await nothingHalfDone();
});

test('an unknown image is the engine’s own error, so that the client pulls', async () => {
  await host.launch();
  const { code, stderr } = await host.tryProxied('run', '--pull', 'never', 'no-such-image', 'true');
  assert.equal(code, 125);
  assert.match(stderr, /No such image: no-such-image/);
  await nothingHalfDone();
});

test('an image without a command', async () => {
  await host.launch();
  await host.runOk(['sh', '-c', 'cd /bin && tar -c busybox | docker import - mute']);
  const [ours, theirs] = [await host.tryProxied('run', 'mute'), await host.tryDocker('run', 'mute')];
  assert.equal(ours.code, theirs.code);
  assert.match(ours.stderr, /[Nn]o command specified/);
});

test('a dead engine: launch says so, and a running daemon answers clients and recovers', async () => {
  await host.launch();
  await host.stopEngine();
  const { code, stderr } = await run();
  assert.notEqual(code, 0);
  assert.match(stderr, /[Cc]annot (connect to|reach) the Docker/);
  await host.weavets('stop');
  const second = await host.weavets('launch');
  assert.equal(second.code, 1);
  assert.match(second.stderr, /cannot reach the Docker engine at unix:\/\/\/var\/run\/docker\.sock.*dockerd/);
  await host.startEngine();
  await host.launch();
  assert.equal((await run()).code, 0);
});

test('without root', async () => {
  const { code, stdout, stderr } = await host.run([
    'setpriv',
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    process.execPath,
    weavets,
    'launch',
  ]);
  assert.equal(code, 1, stdout);
  assert.match(stderr, /root/);
});

test('a missing tool', async () => {
  await host.shell(
    'mkdir -p /run/tools && for t in ip sh sysctl nsenter node; do ln -sf $(command -v $t) /run/tools/; done',
  );
  const { code, stderr } = await host.run(['env', 'PATH=/run/tools', process.execPath, weavets, 'launch']);
  assert.equal(code, 1);
  assert.match(stderr, /'iptables' is not in PATH.*apt-get install iptables/);
});

test('a busy port 53', async () => {
  const holder = host.spawn(['socat', 'UDP4-RECVFROM:53,fork', 'EXEC:cat']);
  await host.shell('until ss -lun | grep -q :53; do :; done');
  const { code, stderr } = await host.weavets('launch');
  const ended = new Promise((resolve) => holder.once('close', resolve));
  await host.run(['pkill', '-x', 'socat']);
  await ended;
  assert.equal(code, 1);
  assert.match(stderr, /53/);
  assert.match(stderr, /--dns-listen-address/);
  assert.equal((await host.shell('pgrep -f daemon/main.js')).stdout, '');
});

test('a range that overlaps a route of the host', async () => {
  await host.runOk(['ip', 'route', 'add', '10.40.0.0/16', 'dev', 'eth0']);
  const { code, stderr } = await host.weavets('launch');
  assert.equal(code, 1);
  assert.match(
    stderr,
    /the host's route 10\.40\.0\.0\/16 dev eth0 overlaps the address range 10\.32\.0\.0\/12.*--ipalloc-range/,
  );
  await host.launch('--ipalloc-range', '10.40.0.0/16');
  await host.runOk(['ip', 'route', 'del', '10.40.0.0/16', 'dev', 'eth0']);
});

test('bad flags are named, and nothing starts', async () => {
  for (const [flags, expected] of [
    [['--ipalloc-range', '10.32.0.0'], /ipalloc-range/],
    [['--ipalloc-range', 'ten'], /ipalloc-range/],
    [['--ipalloc-default-subnet', '192.168.0.0/24'], /ipalloc-default-subnet/],
    [['--dns-ttl', 'soon'], /dns-ttl/],
    [['--hostname-match', '('], /hostname-match/],
    [['-H', 'tcp://0.0.0.0:12375'], /allow-insecure-tcp/],
    [['--tls', '--tlscert', '/nowhere'], /tlscert|nowhere/],
    [['--no-such-flag'], /no-such-flag/],
  ] as const) {
    const { code, stdout, stderr } = await host.weavets('launch', ...flags);
    assert.equal(code, 1, flags.join(' '));
    assert.equal(stdout, '', flags.join(' '));
    assert.match(stderr, expected, flags.join(' '));
  }
  assert.equal((await host.shell('pgrep -f daemon/main.js')).stdout, '');
});

test('a second launch says that weavets is already running', async () => {
  await host.launch();
  const { code, stderr } = await host.weavets('launch');
  assert.equal(code, 1);
  assert.match(stderr, /already running/);
});
