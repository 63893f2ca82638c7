import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runOk } from '../../src/lib/exec.ts';
import { repository } from '../support/host.ts';
import { buildPackages, InstallRoot } from '../support/install-root.ts';
import { useHost } from '../support/use-host.ts';

let out = '';
let deb = '';
let image = '';
before(async () => {
  out = await mkdtemp(join(tmpdir(), 'weavets-packages-'));
  [deb = '', image = ''] = await buildPackages(out, 'deb', 'image');
});
after(() => rm(out, { recursive: true, force: true }));

for (const suite of ['bookworm', 'trixie']) {
  describe(`a Debian ${suite} with nothing on it`, () => {
    const host = useHost();

    test('apt-get install ./weavets.deb && weavets launch', async () => {
      const built = await runOk(['sh', join(repository, 'scripts/debian-root.sh'), `${suite}-bare`], {
        deadline: null,
      });
      const root = await InstallRoot.create(host, built.trim());
      await root.copy(deb, '/weavets.deb');
      await root.copy('/etc/resolv.conf', '/etc/resolv.conf');
      await root.online(['apt-get', 'update', '-qq']);
      await root.online(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', '/weavets.deb']);
      const launched = await root.run(['weavets', 'launch']);
      assert.equal(launched.code, 0, launched.stderr);
      await host.proxied('run', '-d', '--name', 'one', 'busybox', 'sleep', '100000');
      assert.match(
        await host.proxied('run', '--rm', 'busybox', 'ping', '-c', '1', 'one'),
        /from 10\.32\.0\.1: .* 0% packet loss/s,
      );
      assert.match(await root.runOk(['weavets', 'status']), /^ {8}Service: router$/m);
      await root.runOk(['weavets', 'reset', '--force']);
      assert.doesNotMatch(await host.runOk(['ip', 'link']), /weave/);
    });
  });
}

for (const suite of ['sid', undefined] as const) {
  describe(`the image on the ${suite === undefined ? 'oldest' : 'newest'} engine`, () => {
    const host = useHost({ suite });

    test('loads, and has what the daemon runs', async () => {
      assert.match(await host.docker('load', '-i', image), /Loaded image: weavets:latest/);
      assert.match(await host.docker('run', '--rm', 'weavets', 'version'), /^weavets \d/);
      const tools = ['ip', 'bridge', 'iptables-restore', 'nsenter', 'sysctl', 'wg'];
      const found = await host.docker('run', '--rm', '--entrypoint', 'which', 'weavets', ...tools);
      assert.equal(found.split('\n').length, tools.length);
    });
  });
}
