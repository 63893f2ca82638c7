import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crash } from '../support/crash.ts';
import { until } from '../support/until.ts';
import { useHost } from '../support/use-host.ts';

const store = '/var/lib/weave/store';
const file = `${store}/data.mdb`;

describe('state damaged while no daemon runs', () => {
  const host = useHost({ launch: [] });
  let started = 0;

  const ps = async () => {
    const lines = (await host.weavets('ps')).stdout.trim().split('\n');
    return lines.sort().join('\n');
  };
  const addressOf = async (name: string) => / ([\d.]+)\//.exec(await linesOf(name))?.[1] ?? '';
  const linesOf = async (name: string) =>
    (await host.weavets('ps', name)).stdout.split('\n').find((line) => !line.startsWith('weave:expose')) ??
    '';

  test('containers run, with addresses of all kinds', async () => {
    const run = (name: string, ...flags: string[]) =>
      host.proxied('run', '-d', '--name', name, ...flags, 'busybox', 'sleep', '100000');
    for (let i = 0; i < 8; i++) await run(`c${i}`);
    await run('subnet', '-e', 'WEAVE_CIDR=net:10.40.0.0/24');
    await run('claimed', '-e', 'WEAVE_CIDR=10.41.0.7/24 192.168.77.5/24');
    await run('more');
    await host.runOk(['docker', 'run', '-d', '--name', 'by-hand', 'busybox', 'sleep', '100000']);
    assert.equal((await host.weavets('attach', '10.42.0.9/24', 'more')).code, 0);
    assert.equal((await host.weavets('attach', 'by-hand')).code, 0);
    assert.equal((await host.weavets('expose')).code, 0);
  });

  for (const [what, harm] of Object.entries({
    'a truncated file': `truncate -s 12288 ${file}`,
    // All but the two that say where the others are: which of those are in use depends on what was written before.
    'garbage pages': `end=$(($(stat -c %s ${file}) / 4096)); yes garbage | dd of=${file} bs=4096 seek=2 count=$((end - 2)) iflag=fullblock conv=notrunc status=none`,
    'an empty file': `: >${file}`,
    'nothing left of it': `rm -rf ${store}`,
  })) {
    test(`${what}: no address changes, none is given twice, and status says so`, async () => {
      const before = await ps();
      await crash(host);
      assert.equal((await host.run(['bash', '-c', harm])).code, 0);
      const launched = await host.weavets('launch');
      assert.equal(launched.code, 0, launched.stderr);
      assert.equal(await ps(), before);
      if (!what.startsWith('nothing')) {
        assert.match((await host.weavets('status')).stdout, /the state of this host was damaged.*damaged-2/);
        assert.match(launched.stderr, /the state of this host was damaged/);
        assert.match(await host.runOk(['ls', '/var/lib/weave']), /^store\.damaged-/m);
      }
      const name = `new${started++}`;
      await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
      assert.ok(!before.includes(` ${await addressOf(name)}/`), 'an address in use was given again');
      const [again, had] = ['c3', await addressOf('c3')];
      await host.proxied('restart', '-t', '0', again);
      await until('it has its address', async () => (await addressOf(again)) === had);
    });
  }

  test('a daemon that was killed without losing anything says nothing', async () => {
    const before = await ps();
    await crash(host);
    const launched = await host.weavets('launch');
    assert.deepEqual([launched.code, await ps()], [0, before]);
    assert.doesNotMatch((await host.weavets('status')).stdout, /damaged/);
  });
});
