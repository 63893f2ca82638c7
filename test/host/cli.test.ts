import assert from 'node:assert/strict';
import test from 'node:test';
import { until, weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost();

/** Pids of the daemons that run on the host. */
async function daemons(): Promise<string[]> {
  const { stdout } = await host.run(['pgrep', '-f', 'daemon/main.js']);
  return stdout.split('\n').filter(Boolean);
}

test('launch prints the pid of the daemon; stop ends it; both can be repeated', async () => {
  const launched = await host.weavets('launch');
  assert.deepEqual([launched.code, launched.stderr], [0, '']);
  assert.deepEqual(await daemons(), [launched.stdout.trim()]);

  const again = await host.weavets('launch');
  assert.deepEqual([again.code, again.stdout], [1, '']);
  assert.match(again.stderr, /^weavets: weavets is already running \(pid \d+\).*\(ALREADY_RUNNING\)\n$/);

  assert.deepEqual(await host.weavets('stop'), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(await daemons(), []);
  assert.deepEqual(await host.weavets('stop'), { code: 0, stdout: '', stderr: 'weavets is not running\n' });
});

test('a daemon that was killed is not running, and launch starts another', async () => {
  const pid = (await host.weavets('launch')).stdout.trim();
  await host.runOk(['kill', '-9', pid]);
  await until('the daemon is gone', async () => (await daemons()).length === 0);
  const env = await host.weavets('env');
  assert.deepEqual([env.code, env.stdout], [1, '']);
  await host.launch();
  assert.match((await host.weavets('status')).stdout, /^ {8}Service: proxy$/m);
  assert.equal((await host.weavets('stop')).code, 0);
});

test('a daemon that cannot start says why, and is gone', async () => {
  await host.runOk(['ip', 'route', 'add', '10.40.0.0/16', 'dev', 'eth0']);
  const launched = await host.weavets('launch');
  await host.runOk(['ip', 'route', 'del', '10.40.0.0/16', 'dev', 'eth0']);
  assert.deepEqual([launched.code, launched.stdout], [1, '']);
  assert.match(launched.stderr, /10\.40\.0\.0\/16.*--ipalloc-range.*\(RANGE_OVERLAPS\)\n$/);
  assert.deepEqual(await daemons(), []);
});

test('launch that is interrupted leaves no daemon', async () => {
  // It waits for an engine that hangs: it has not launched when it is interrupted.
  await host.pauseEngine();
  try {
    const launching = host.spawn([weavets, 'launch']);
    const ended = new Promise((resolve) => launching.once('close', resolve));
    await until('the daemon has started', async () => (await daemons()).length === 1);
    const { stdout } = await host.run(['pgrep', '-f', '--', `${weavets} launch`]);
    await host.runOk(['kill', '-INT', stdout.trim()]);
    await ended;
    await until('no daemon is left', async () => (await daemons()).length === 0);
  } finally {
    await host.resumeEngine();
  }
});

test('in a shell: docker goes to the proxy and back, and the password is in no argument', async () => {
  await host.weavets('launch', '--password', 's3cret');
  const { stdout, stderr } = await host.shell(`
    export DOCKER_CONTEXT=nosuch DOCKER_TLS_VERIFY=1
    eval $(${weavets} env)
    eval $(${weavets} env)
    docker run --name bbox1 -d busybox sleep 1000 >/dev/null && ${weavets} ps bbox1
    ${weavets} dns-lookup bbox1
    eval $(${weavets} env --restore)
    echo "$DOCKER_CONTEXT $DOCKER_TLS_VERIFY \${DOCKER_HOST-unset} \${ORIG_DOCKER_HOST-unset}"
    ps ax -o args | grep -c '[s]3cret'`);
  assert.equal(stderr, '');
  const [ps, lookup, variables, leaks] = stdout.split('\n');
  assert.match(ps ?? '', /^bbox1 ([0-9a-f]{2}:){5}[0-9a-f]{2} 10\.32\.0\.1\/12$/);
  assert.deepEqual([lookup, variables, leaks], ['10.32.0.1', 'nosuch 1 unset unset', '0']);
  assert.equal((await host.weavets('reset')).code, 0);
  assert.equal((await host.weavets('reset')).code, 0);
  assert.equal((await host.run(['ip', 'link', 'show', 'weave'])).code, 1);
});

test('in fish: docker goes to the proxy and back', async () => {
  await host.weavets('launch');
  const { stdout, stderr } = await host.run(
    [
      ...['fish', '--no-config', '-c'],
      `${weavets} env --shell fish | source
       docker run --rm busybox ip -4 addr show ethwe | string match -r 'inet 10.32\\S+'
       ${weavets} env --restore --shell fish | source
       set -q DOCKER_HOST; or echo plain`,
    ],
    { env: { DOCKER_HOST: undefined } },
  );
  assert.equal(stderr, '');
  assert.match(stdout, /^inet 10\.32\.0\.\d+\/12\nplain\n$/);
});

test('a daemon that hangs: reset refuses, and with --force goes on', async () => {
  const { stdout } = await host.run(['pgrep', '-f', 'daemon/main.js']);
  await host.runOk(['kill', '-STOP', stdout.trim()]);
  const refused = await host.weavets('reset');
  assert.match(refused.stderr, /^weavets: weavets did not answer 'ping'.*\(INTERNAL\)\n$/);
  assert.equal((await host.run(['ip', 'link', 'show', 'weave'])).code, 0);
  const forced = await host.weavets('reset', '--force');
  assert.equal(forced.code, 0);
  assert.match(forced.stderr, /^warning: weavets did not answer 'ping'/);
  assert.equal((await host.run(['ip', 'link', 'show', 'weave'])).code, 1);
  await host.runOk(['kill', '-KILL', stdout.trim()]);
  await until('it is gone', async () => (await daemons()).length === 0);
});
