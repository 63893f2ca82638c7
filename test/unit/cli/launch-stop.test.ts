import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../../src/cli/cli.ts';
import type { Context } from '../../../src/cli/command.ts';
import { type SpawnOptions, spawnDaemon } from '../../../src/cli/process/spawn-daemon.ts';
import type { LaunchConfig } from '../../../src/config/config.ts';
import { ControlClient } from '../../../src/control/client.ts';

const config = { password: 's3cret' } as LaunchConfig;

/** A host with a stand-in for the daemon; what is still running of it ends with the test. */
async function host(t: TestContext, mode: string): Promise<SpawnOptions & Pick<Context, 'control'>> {
  const folder = await mkdtemp(join(tmpdir(), 'launch-'));
  const control = new ControlClient(join(folder, 'control.sock'));
  t.after(async () => {
    await control.call('stop', {}).catch(() => {});
    await rm(folder, { recursive: true });
  });
  return {
    file: fileURLToPath(new URL('stand-in-daemon.ts', import.meta.url)),
    log: join(folder, 'log'),
    env: {
      ...process.env,
      // The real daemon is JavaScript; this one is not.
      NODE_OPTIONS: `--import=${import.meta.resolve('tsx')}`,
      TEST_SOCKET: join(folder, 'control.sock'),
      TEST_MODE: mode,
      WEAVE_PASSWORD: 's3cret',
      ETCDCTL_PASSWORD: 's3cret',
    },
    control,
  };
}

/** Runs a command line against that host. */
async function weavets(argv: string[], { control }: Pick<Context, 'control'>, env: NodeJS.ProcessEnv = {}) {
  const outcome = { out: '', err: '' };
  const context: Context = {
    env,
    control,
    confirm: async () => undefined,
    terminal: { out: false, err: false, columns: 80, colors: false },
    transient: () => {},
    out: (line) => {
      outcome.out += `${line}\n`;
    },
    err: (line) => {
      outcome.err += `${line}\n`;
    },
  };
  return { code: await runCli(argv, context), ...outcome };
}

test('launch prints the pid of a ready daemon', async (t) => {
  const how = await host(t, 'serve');
  const pid = await spawnDaemon(config, how);
  assert.deepEqual(await how.control.call('ping', {}), { pid, version: '0', ready: true });
  for (const file of ['cmdline', 'environ']) {
    assert.doesNotMatch(await readFile(`/proc/${pid}/${file}`, 'utf8'), /s3cret/, file);
  }
  assert.match(await readFile(how.log, 'utf8'), /^password s3cret$/m);
});

test('a log that can’t be opened does not prevent launch', async (t) => {
  const how = await host(t, 'serve');
  const pid = await spawnDaemon(config, { ...how, log: '/nowhere/log' });
  assert.equal((await how.control.call('ping', {})).pid, pid);
});

test('a daemon that refuses: its own code and message', async (t) => {
  const how = await host(t, 'refuse');
  await assert.rejects(spawnDaemon(config, how), {
    code: 'RANGE_OVERLAPS',
    message: '10.32.0.0/12 overlaps a route',
  });
});

test('a daemon that crashes: its exit code, and where the log is', async (t) => {
  const how = await host(t, 'crash');
  await assert.rejects(spawnDaemon(config, how), {
    code: 'LAUNCH_FAILED',
    message: `weavets ended before it was ready (exit code 1); its log is ${how.log}`,
  });
  assert.match(await readFile(how.log, 'utf8'), /Error: boom/);
});

test('a daemon that is never ready is ended', async (t) => {
  const how = await host(t, 'hang');
  const launched = spawnDaemon(config, { ...how, patience: 2_000 });
  await assert.rejects(launched, { code: 'LAUNCH_FAILED', message: /was not ready after 2 s/ });
  await assert.rejects(how.control.call('ping', {}), { code: 'NOT_RUNNING' });
});

test('a second launch is refused', async (t) => {
  const how = await host(t, 'serve');
  const pid = await spawnDaemon(config, how);
  assert.deepEqual(await weavets(['launch'], how), {
    code: 1,
    out: '',
    err: `weavets: weavets is already running (pid ${pid}); stop it first with: weavets stop (ALREADY_RUNNING)\n`,
  });
});

test('stop returns when the process has ended, and succeeds when none runs', async (t) => {
  const how = await host(t, 'serve');
  const pid = await spawnDaemon(config, how);
  assert.deepEqual(await weavets(['stop'], how), { code: 0, out: '', err: '' });
  assert.equal(existsSync(`/proc/${pid}`), false);
  assert.deepEqual(await weavets(['stop'], how), { code: 0, out: '', err: 'weavets is not running\n' });
});

test('stop warns when this shell still sends docker to the proxy', async (t) => {
  const how = await host(t, 'serve');
  await spawnDaemon(config, how);
  const warning =
    'warning: DOCKER_HOST still names the proxy; to use docker, run: eval $(weavets env --restore)\n';
  const stopped = await weavets(['stop'], how, { DOCKER_HOST: 'tcp://127.0.0.1:12375' });
  assert.equal(stopped.err, warning);
  const again = await weavets(['stop'], how, { DOCKER_HOST: 'unix:///var/run/weave/weave.sock' });
  assert.equal(again.err, `${warning}weavets is not running\n`);
});

test('a hung daemon is reported as such by stop', async (t) => {
  const how = await host(t, 'serve');
  const pid = await spawnDaemon(config, how);
  process.kill(pid, 'SIGSTOP');
  const stopped = await weavets(['stop'], how);
  process.kill(pid, 'SIGCONT');
  assert.equal(stopped.code, 1);
  assert.match(stopped.err, /^weavets: weavets did not answer 'ping' within 5000 ms; see .*\(INTERNAL\)\n$/);
});
