import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/host.ts';
import { allReleased } from '../support/released.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost();

/** What weavets could leave behind on a host. */
async function traces(): Promise<string> {
  const { stdout } = await host.shell(`
    ip -o link | grep -o 'vethwe[^@:]*\\|weave' ; iptables-save | grep WEAVE ; awk '$2 ~ /weave/ && $2 !~ /^.var.(lib.weave$|tmp.weavets-lab)/' /proc/mounts
    find /var/lib/weave /var/run/weave -mindepth 1 2>/dev/null ; pgrep -fa 'daemon/main.j[s]|ip -force -batc[h]'`);
  return stdout;
}

test('fifty at once: all attached, distinct and named; nothing is left afterwards', async () => {
  const count = 50;
  await host.launch();
  const names = Array.from({ length: count }, (_, i) => `c${i}`);
  const runs = await Promise.all(
    names.map((name) => host.tryProxied('run', '-d', '--name', name, 'busybox', 'sleep', '10000')),
  );
  assert.deepEqual(
    runs.map(({ code, stderr }) => `${code}${stderr}`),
    names.map(() => '0'),
  );

  const rows = (await host.weavets('ps')).stdout.trim().split('\n').slice(1);
  assert.equal(rows.length, count);
  const addresses = rows.map((row) => row.split(/\s+/)[2]);
  assert.equal(new Set(addresses).size, count);

  const lookups = names
    .map((name) => `nslookup ${name}.weave.local | grep -A1 'Name:' | grep -c 'Address.*10\\.32\\.'`)
    .join('; ');
  const found = await host.docker('exec', 'c0', 'sh', '-c', lookups);
  assert.equal(found, names.map(() => '1').join('\n'));
  assert.match(await host.docker('exec', 'c0', 'ping', '-c', '1', `c${count - 1}`), / 0% packet loss/);

  // Links that were just being made are not taken for changed ones.
  assert.doesNotMatch((await host.shell('cat /var/log/weavets.log')).stdout, /put right on this host/);

  await host.docker('rm', '-f', ...names);
  await until('no veth is left', async () => !(await host.shell('ip -o link')).stdout.includes('vethwepl'));
  await allReleased(host);
  assert.equal((await host.weavets('reset')).code, 0);
  // What the daemon has started ends when it sees that its input has.
  let left = '';
  await until('nothing is left', async () => {
    left = await traces();
    return left === '';
  }).catch(() => {});
  assert.equal(left, '');
});
