/** Podman as the engine: what docs/podman.md promises. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playCompose } from '../support/compose.ts';
import { inSuite, until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ suite: 'sid-podman', launch: ['--rewrite-inspect'] });

const addressIn = async (name: string) => {
  const shown = await host.tryDocker('exec', name, 'ip', '-4', '-o', 'addr', 'show', 'ethwe');
  return /inet (\S+) brd/.exec(shown.stdout)?.[1];
};
/** Starts a container that may ping: Podman's lack NET_RAW. @returns its address */
async function start(name: string, ...flags: string[]): Promise<string> {
  const options = ['--name', name, '--cap-add', 'NET_RAW', ...flags];
  await host.proxied('run', '-d', ...options, 'busybox', 'sleep', '100000');
  return (await addressIn(name)) ?? assert.fail(`${name} has no address`);
}

test('the transcript comes out', async () => {
  await host.proxied('run', '--name', 'bbox1', '--cap-add', 'NET_RAW', '-itd', 'busybox');
  await host.proxied('run', '--name', 'bbox2', '--cap-add', 'NET_RAW', '-itd', 'busybox');
  const inside = (...argv: string[]) => host.proxied('exec', 'bbox1', ...argv);
  const shown = await inside('ip', 'a');
  assert.match(shown, /: eth0@\S+: .*UP/);
  assert.match(shown, /: ethwe@\S+: <BROADCAST,MULTICAST,UP,LOWER_UP\S*> mtu 1450 /);
  const address = /inet (10\.32\.0\.\d+)\/12 brd 10\.47\.255\.255 scope global ethwe/.exec(shown)?.[1];
  assert.ok(address, shown);
  assert.equal(await inside('hostname'), 'bbox1.weave.local');
  assert.equal(await inside('hostname', '-f'), 'bbox1.weave.local');
  assert.ok((await inside('hostname', '-i')).split(' ').includes(address));
  assert.match(await inside('ping', '-c', '1', 'bbox2'), /PING bbox2 \(10\.32\.\d+\.\d+\)[\s\S]* 0% packet/);
  assert.match(await inside('ping', '-c', '1', 'bbox2.weave.local'), /\(10\.32\.\d+\.\d+\)[\s\S]* 0% packet/);
  const routes = await inside('ip', 'r');
  assert.match(routes, /^default via 10\.88\.0\.1 dev eth0/m);
  assert.ok(routes.includes(`10.32.0.0/12 dev ethwe scope link  src ${address}`), routes);
  assert.match(routes, /^224\.0\.0\.0\/4 dev ethwe scope link/m);
  assert.equal(
    await host.proxied('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'bbox1'),
    address,
    '--rewrite-inspect',
  );
  await host.docker('rm', '-f', 'bbox1', 'bbox2');
});

test('DNS is served on the weave bridge, as there is no docker0', async () => {
  await start('named');
  assert.equal(await host.proxied('exec', 'named', 'cat', '/etc/resolv.conf'), 'nameserver 169.254.77.53');
  assert.match(
    await host.proxied('exec', 'named', 'nslookup', 'named.weave.local'),
    /Address: 10\.32\.\d+\.\d+/,
  );
  await host.docker('rm', '-f', 'named');
});

test('streams, exit codes, and a command that ends at once', async () => {
  const typed = await host.run(['docker', '-H', host.proxySocket, 'run', '--rm', '-i', 'busybox', 'cat'], {
    input: 'typed\n',
  });
  assert.deepEqual([typed.code, typed.stdout], [0, 'typed\n']);
  const failed = await host.tryProxied(
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'echo out; echo err >&2; exit 7',
  );
  assert.deepEqual([failed.code, failed.stdout, failed.stderr], [7, 'out\n', 'err\n']);
  for (let turn = 0; turn < 5; turn++)
    assert.equal((await host.tryProxied('run', '--rm', 'busybox', 'true')).code, 0);
  assert.equal(await host.docker('ps', '-aq'), '');
});

test('docker restart, a kill from outside and the restart policy: the same address', async () => {
  const address = await start('phoenix', '--restart', 'always');
  await host.proxied('restart', '-t', '0', 'phoenix');
  assert.equal(await addressIn('phoenix'), address);
  await host.docker('restart', '-t', '0', 'phoenix');
  await until(
    'it is attached after a restart past the proxy',
    async () => (await addressIn('phoenix')) === address,
  );
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'phoenix');
  await host.runOk(['kill', '-9', pid]);
  await until('it runs again, and is attached', async () => {
    const now = await host.docker('inspect', '-f', '{{.State.Pid}}', 'phoenix');
    return now !== pid && now !== '0' && (await addressIn('phoenix')) === address;
  });
  await host.docker('rm', '-f', 'phoenix');
});

test('a container that ends loses its name, one that is removed its address', async () => {
  const address = await start('mortal');
  const lookup = async () => (await host.weavets('dns-lookup', 'mortal')).stdout.trim();
  assert.equal(`${await lookup()}/12`, address);
  await host.docker('stop', '-t', '0', 'mortal');
  await until('its name is gone', async () => (await lookup()) === '');
  await host.docker('rm', 'mortal');
  await until('its address is free', async () =>
    (await host.weavets('status', 'ipam')).stdout.includes('(0 active)'),
  );
});

test('ps --why lists attached and unattached containers, with the reason', async () => {
  await start('ours', '-e', 'WEAVE_CIDR=10.32.50.1/12');
  await host.docker('run', '-d', '--name', 'plain', 'busybox', 'sleep', '100000');
  await host.proxied('run', '-d', '--name', 'hosted', '--net', 'host', 'busybox', 'sleep', '100000');
  const { stdout } = await host.weavets('ps', '--why');
  assert.match(stdout, / ours +attached +10\.32\.50\.1\/12/);
  assert.match(stdout, / plain +not attached +it was not created through the proxy/);
  assert.match(stdout, / hosted +not attached +it shares the network of the host/);
  assert.equal((await host.weavets('attach', 'plain')).code, 0);
  assert.match(await host.docker('exec', 'plain', 'ip', 'addr', 'show', 'ethwe'), /inet 10\.32\./);
  await host.docker('rm', '-f', 'ours', 'plain', 'hosted');
});

test('Compose', async () => {
  // Podman ignores domain names there.
  await playCompose(host, await inSuite('sid-podman', ['docker-compose']), '-', '');
});

test('Podman restarted: running containers go on, and new ones are attached', async () => {
  const address = await start('stays');
  await host.stopEngine();
  await host.startEngine();
  assert.equal(await addressIn('stays'), address);
  const other = await start('after');
  assert.notEqual(other, address);
  assert.match(await host.proxied('exec', 'stays', 'ping', '-c', '1', 'after'), / 0% packet loss/);
  // `stays` stays: each start of Podman here has a mount namespace of its own, without the netns of those before.
  await host.docker('rm', '-f', 'after');
});

test('reset leaves nothing', async () => {
  assert.equal((await host.weavets('reset')).code, 0);
  const left = await host.shell('ip -o link | grep -o "vethwe[^@:]*\\|weave"; iptables-save | grep WEAVE');
  assert.equal(left.stdout, '');
});
