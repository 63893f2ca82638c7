import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allReleased } from '../support/released.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ launch: [] });

const run = (...args: string[]) => host.tryProxied('run', '--rm', ...args);
const direct = (...args: string[]) => host.tryDocker('run', '--rm', ...args);
const addresses = (text: string) =>
  [...text.matchAll(/inet (\S+) brd \S+ scope global ethwe/g)].map((match) => match[1]);
const showAddresses = ['ip', '-4', 'addr', 'show', 'ethwe'];

test('every kind of container waits for its address', async (t) => {
  const kinds: Record<string, string[]> = {
    plain: ['busybox', ...showAddresses],
    'read-only root': ['--read-only', 'busybox', ...showAddresses],
    'another user': ['--user', '1000', 'busybox', ...showAddresses],
    'no capabilities': ['--cap-drop', 'ALL', 'busybox', ...showAddresses],
    'an init': ['--init', 'busybox', ...showAddresses],
    'no entrypoint': ['--entrypoint', '', 'busybox', ...showAddresses],
    'an entrypoint': ['--entrypoint', 'ip', 'busybox', ...showAddresses.slice(1)],
    'no network of the engine': ['--net', 'none', 'busybox', ...showAddresses],
    'the bridge by name': ['--net', 'bridge', 'busybox', ...showAddresses],
    'a mount of its own at /w': ['-v', '/tmp:/w', 'busybox', ...showAddresses],
    'a terminal': ['-t', 'busybox', ...showAddresses],
  };
  for (const [kind, args] of Object.entries(kinds)) {
    await t.test(kind, async () => {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 0, stderr);
      assert.equal(addresses(stdout).length, 1, stdout + stderr);
    });
  }
});

test('a container of an image with just one static program is attached', async () => {
  await host.runOk(['sh', '-c', 'cd /bin && tar -c busybox | docker import - scratch-like']);
  const { code, stdout, stderr } = await run('--entrypoint', '/busybox', 'scratch-like', ...showAddresses);
  assert.equal(code, 0, stderr);
  assert.equal(addresses(stdout).length, 1, stdout);
});

test('containers without a network of their own are left alone', async () => {
  await host.docker('network', 'create', 'mine');
  await host.proxied('run', '-d', '--name', 'base', 'busybox', 'sleep', '1000');
  for (const net of ['host', 'mine']) {
    const { code, stdout } = await run(
      '--net',
      net,
      'busybox',
      'sh',
      '-c',
      'ls /w 2>/dev/null; ip link | grep -c ethwe@; true',
    );
    assert.equal(code, 0);
    assert.equal(stdout.trim(), '0', net);
  }
  const shared = await run('--net', 'container:base', 'busybox', 'sh', '-c', 'ls /w; ip -4 addr show ethwe');
  assert.match(shared.stdout, /10\.32\.\d+\.\d+\/12/);
  assert.match(shared.stderr, /\/w: No such file/);
  await host.docker('rm', '-f', 'base');
});

test('WEAVE_CIDR in every form', async (t) => {
  const forms: [string, string[] | RegExp][] = [
    ['10.2.1.1/24', ['10.2.1.1/24']],
    ['ip:10.2.1.1/24', ['10.2.1.1/24']],
    ['net:10.32.9.0/24', ['10.32.9.1/24']],
    ['net:default', /^10\.32\.0\.\d+\/12$/],
    ['', /^10\.32\.0\.\d+\/12$/],
    ['net:10.32.9.0/24 ip:10.2.1.1/24 10.33.0.7/16', ['10.32.9.1/24', '10.2.1.1/24', '10.33.0.7/16']],
  ];
  for (const [value, expected] of forms) {
    await t.test(`WEAVE_CIDR='${value}'`, async () => {
      // Of a subnet it is the lowest that comes.
      await allReleased(host);
      const { stdout, stderr } = await run('-e', `WEAVE_CIDR=${value}`, 'busybox', ...showAddresses);
      const got = addresses(stdout);
      if (expected instanceof RegExp) assert.match(got.join(), expected, stderr);
      else assert.deepEqual(got, expected, stderr);
    });
  }
  await t.test('WEAVE_CIDR=none', async () => {
    const { stdout } = await run('-e', 'WEAVE_CIDR=none', 'busybox', 'sh', '-c', 'ls /w 2>&1; ip link');
    assert.doesNotMatch(stdout, /ethwe/);
    assert.match(stdout, /\/w: No such file/);
  });
});

test('an address is free as soon as its container is removed', async () => {
  await host.proxied(
    'run',
    '-d',
    '--name',
    'one',
    '-e',
    'WEAVE_CIDR=net:10.32.78.0/30',
    'busybox',
    'sleep',
    '1000',
  );
  for (let turn = 0; turn < 10; turn++) {
    // The last one of its subnet, and a given one.
    const { code, stderr } = await run('-e', 'WEAVE_CIDR=net:10.32.78.0/30 10.32.77.7/24', 'busybox', 'true');
    assert.equal(code, 0, stderr);
  }
  await host.docker('rm', '-f', 'one');
});

test('output and exit codes are those of a direct run', async () => {
  const commands = [
    ['busybox', 'true'],
    ['busybox', 'false'],
    ['busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7'],
    ['busybox', 'sh', '-c', 'kill -9 $$'],
    ['busybox', 'no-such-command'],
    ['busybox', '/etc/passwd'],
    ['-i', 'busybox', 'cat'],
    ['--user', '1000:1000', 'busybox', 'id'],
    ['-w', '/tmp', 'busybox', 'pwd'],
    ['-e', 'A=b', 'busybox', 'printenv', 'A'],
  ];
  for (const command of commands) {
    const [ours, theirs] = [await run(...command), await direct(...command)];
    assert.equal(ours.code, theirs.code, `${command.join(' ')}: ${ours.stderr}`);
    assert.equal(ours.stdout, theirs.stdout, command.join(' '));
  }
});

test('a command that ends at once is not an error, and leaves nothing behind', async () => {
  for (let i = 0; i < 5; i++) assert.equal((await run('--net', 'none', 'busybox', 'true')).code, 0);
  assert.equal(await host.docker('ps', '-aq', '--filter', 'name=base'), '');
});

test("/etc/hosts: --add-host entries, then the weave address before the engine's", async () => {
  const { stdout } = await run(
    '--name',
    'hosted',
    '--add-host',
    'db:10.9.9.9',
    'busybox',
    'cat',
    '/etc/hosts',
  );
  assert.match(
    stdout,
    /^127\.0\.0\.1\tlocalhost\n[\s\S]*\n10\.9\.9\.9\tdb\n10\.32\.0\.\d+\thosted\.weave\.local hosted\n172\.17\.0\.\d+\thosted\.weave\.local hosted\n$/,
  );
});
