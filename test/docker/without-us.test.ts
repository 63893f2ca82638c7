/** Containers created through the proxy, after weavets is gone. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../support/host.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

forEachEngine(({ suite }) => {
  const host = useHost({ suite });
  const state = (what: string, name: string) => host.docker('inspect', '-f', `{{.State.${what}}}`, name);
  const shims = () => existsSync(host.path('/var/lib/weave/shim'));

  /** Starts, stops and restarts by hand, by its policy and with the engine. */
  async function livesAlone(name: string): Promise<void> {
    await host.docker('restart', '-t', '0', name);
    assert.equal(await state('Running', name), 'true');
    await host.docker('stop', '-t', '0', name);
    await host.docker('start', name);
    const runs = async () => (await host.tryDocker('exec', name, 'cat', '/proc/1/comm')).stdout === 'sleep\n';
    await until('the command runs, and not the shim', runs);
    const before = Number(await state('Pid', name));
    await host.runOk(['kill', '-9', String(before)]);
    await until('the policy starts it again', async () => {
      const pid = Number(await state('Pid', name));
      return pid !== 0 && pid !== before && (await runs());
    });
  }

  test('after stop: every container works alone, and is attached again by the next launch', async () => {
    await host.launch();
    await host.proxied(
      'run',
      '-d',
      '--name',
      'c1',
      '--restart',
      'always',
      '--stop-timeout',
      '1',
      'busybox',
      'sleep',
      '10000',
    );
    await host.proxied(
      'run',
      '-d',
      '--name',
      'c2',
      '--restart',
      'always',
      '-w',
      '/w',
      'busybox',
      'sleep',
      '10000',
    );
    assert.equal((await host.weavets('stop')).code, 0);
    for (const name of ['c1', 'c2']) await livesAlone(name);
    await host.launch();
    assert.match((await host.weavets('ps', 'c1')).stdout, / 10\.32\.0\.\d+\/12/);
    // A new start waits for the network again.
    await host.proxied('restart', '-t', '0', 'c1');
    assert.match(await host.proxied('exec', 'c1', 'ip', '-o', '-4', 'addr'), / ethwe /);
  });

  test('after reset: likewise, and the shim stays until no container needs it', async () => {
    assert.equal((await host.weavets('reset', '--force')).code, 0);
    assert.equal(existsSync(host.path('/var/lib/weave/store')), false);
    for (const name of ['c1', 'c2']) await livesAlone(name);
    await host.stopEngine();
    await host.startEngine();
    await until('they are back with the engine', async () => (await state('Running', 'c1')) === 'true');
    assert.equal((await host.weavets('uninstall', '--force')).code, 0);
    for (const name of ['c1', 'c2']) await livesAlone(name);
    assert.equal(shims(), true);
    await host.removeContainers();
    assert.equal((await host.weavets('reset', '--force')).code, 0);
    assert.equal(shims(), false);
  });

  test('a state directory on a noexec mount is refused at launch', async () => {
    await host.runOk(['mount', '-t', 'tmpfs', '-o', 'noexec', 'tmpfs', '/var/lib/weave']);
    try {
      const refused = await host.weavets('launch');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /STATE_NOEXEC/);
      assert.match(refused.stderr, /mount -o remount,exec/);
    } finally {
      await host.runOk(['umount', '/var/lib/weave']);
    }
  });
});
