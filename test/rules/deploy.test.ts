import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { daemonEnvironment, daemonFlags } from '../../src/cli/process/node-flags.ts';
import { serviceUnit } from '../../src/cli/service/service-units.ts';
import { runOk } from '../../src/lib/exec.ts';
import { repository } from '../support/host.ts';

const deploy = join(repository, 'deploy');
const promtool = '/var/tmp/weavets-lab/promtool';

test('alert rules are what Prometheus accepts, and fire when they should', async () => {
  await runOk([promtool, 'check', 'rules', join(deploy, 'prometheus/weavets.rules.yml')]);
  await runOk([promtool, 'test', 'rules', join(deploy, 'prometheus/weavets.test.yml')]);
});

test('alerts and dashboard read metrics that the daemon has', () => {
  const metrics = readdirSync(join(repository, 'src/daemon'))
    .filter((name) => name.endsWith('metrics.ts'))
    .map((name) => readFileSync(join(repository, 'src/daemon', name), 'utf8'))
    .join('\n');
  for (const file of ['prometheus/weavets.rules.yml', 'grafana/weavets.json']) {
    const named = readFileSync(join(deploy, file), 'utf8').match(/\bweave(ts)?_[a-z_]+/g) ?? [];
    assert.ok(named.length > 5, file);
    for (const name of named)
      assert.ok(metrics.includes(`'${name.replace(/_bucket$/, '')}'`), `${file}: ${name}`);
  }
});

test('however it is started, the daemon has the flags that keep its memory small', () => {
  const dockerfile = readFileSync(join(repository, 'Dockerfile'), 'utf8');
  const unit = serviceUnit();
  assert.ok(dockerfile.includes(`NODE_OPTIONS="${daemonFlags.join(' ')}"`));
  for (const [name, value] of Object.entries(daemonEnvironment)) {
    assert.ok(dockerfile.split(/\s/).includes(`${name}=${value}`), name);
    assert.ok(unit.split('\n').includes(`Environment=${name}=${value}`), name);
  }
  for (const flag of daemonFlags) assert.match(unit, new RegExp(`^ExecStart=.* ${flag} `, 'm'));
});
