import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOk } from '../../src/lib/exec.ts';
import { Host, repository } from '../support/host.ts';

test('quickstart plays the transcript on a host without an engine, twice', async () => {
  await using host = await Host.create({ engine: false });
  const clone = await mkdtemp('/var/tmp/weavets-quickstart-');
  try {
    // As a checkout: what git knows, uncommitted changes included, and the packages, since no registry answers here.
    const files = await runOk([
      'git',
      '-C',
      repository,
      'ls-files',
      '--cached',
      '--others',
      '--exclude-standard',
    ]);
    await runOk(['tar', '-C', repository, '-cf', `${clone}/files.tar`, '-T', '-'], { input: files });
    await runOk(['tar', '-C', clone, '-xf', `${clone}/files.tar`]);
    await runOk(['cp', '-a', join(repository, 'node_modules'), clone], { deadline: null });

    for (const time of ['first', 'second']) {
      const { code, stdout, stderr } = await host.run([join(clone, 'bin/quickstart')], {
        env: { DOCKER_HOST: undefined, WEAVETS_BIN: join(clone, 'node_modules/.bin') },
      });
      assert.equal(code, 0, `${time}: ${stdout}${stderr}`);
      assert.equal(stdout.match(/✔ ok/g)?.length, 8, stdout);
      assert.match(stdout, /The network is up/);
    }
    // The network is left up, and the two containers on it.
    assert.match(await host.docker('exec', 'bbox2', 'ping', '-c', '1', 'bbox1'), / 0% packet loss/);
    await host.docker('rm', '-f', 'bbox1', 'bbox2');
    await host.runOk([join(clone, 'bin/weavets'), 'reset']);
    await host.run(['sh', '-c', 'kill $(cat /run/docker.pid)']);
  } finally {
    await rm(clone, { recursive: true, force: true });
  }
});
