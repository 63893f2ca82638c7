import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { crash } from '../support/crash.ts';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost();
beforeEach(async () => {
  await host.weavets('launch');
});

const addressIn = async (name: string) =>
  /inet (\S+) brd/.exec(
    (await host.run(['docker', 'exec', name, 'ip', '-4', 'addr', 'show', 'ethwe'])).stdout,
  )?.[1];

async function start(name: string, ...options: string[]): Promise<string> {
  await host.proxied('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '100000');
  const address = await addressIn(name);
  assert.ok(address, `${name} has an address`);
  return address;
}

/** Attached with this address, and another container reaches it by name. */
async function isBack(name: string, address: string): Promise<void> {
  await until(`${name} is attached again`, async () => (await addressIn(name)) === address);
  const probe = await host.tryProxied('run', '--rm', 'busybox', 'ping', '-c', '1', '-W', '30', name);
  assert.match(
    probe.stdout,
    new RegExp(`\\(${address.replace(/\/.*/, '')}\\)[\\s\\S]* 0% packet loss`),
    probe.stderr,
  );
}

test('docker restart keeps address and name', async () => {
  const address = await start('restarted');
  await host.proxied('restart', '-t', '0', 'restarted');
  assert.equal(await addressIn('restarted'), address);
  await isBack('restarted', address);
});

test('while a restart waits for a container to end, everyone sees it as it is', async () => {
  await start('slow');
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'slow');
  const since = await host.runOk(['date', '+%s']);
  let restarted = false;
  const restart = host.proxied('restart', '-t', '4', 'slow').then(() => {
    restarted = true;
  });
  const kills = ['--filter', 'event=kill', '--filter', 'container=slow'];
  await until('it is told to end', async () => {
    return (await host.docker('events', '--since', since.trim(), '--until', '0s', ...kills)) !== '';
  });
  assert.equal(await host.proxied('inspect', '-f', '{{.State.Pid}}', 'slow'), pid);
  assert.equal(await host.proxied('exec', 'slow', 'echo', 'here'), 'here');
  assert.equal(restarted, false);
  await restart;
  assert.notEqual(await host.proxied('inspect', '-f', '{{.State.Pid}}', 'slow'), pid);
  assert.ok(await addressIn('slow'));
});

test('detached, it runs on without; started again it is attached, as its command waits for that', async () => {
  for (const [name, through, ...options] of [
    ['apart1', 'proxied'],
    ['apart2', 'docker'],
    ['apart3', 'docker', '--init'],
  ] as const) {
    const address = await start(name, ...options);
    assert.equal((await host.weavets('detach', name)).code, 0);
    await host.weavets('stop');
    await host.launch();
    assert.equal(await addressIn(name), undefined);
    await host[through]('restart', '-t', '0', name);
    await isBack(name, address);
    await until('its command runs', async () => {
      const running = await host.docker('exec', name, 'sh', '-c', 'cat /proc/[0-9]*/comm');
      return running.split('\n').includes('sleep');
    });
  }
});

test('what a container was made for it gets, whatever flags the daemon is launched with later', async () => {
  const address = await start('promised');
  await host.weavets('stop');
  await host.launch('--no-default-ipalloc', '--no-multicast-route');
  const shown = async () => (await host.weavets('ps', 'promised')).stdout.trim().split(' ')[2];
  assert.equal(await shown(), address);
  await host.proxied('restart', '-t', '0', 'promised');
  assert.equal(await host.docker('exec', 'promised', 'cat', '/proc/1/comm'), 'sleep');
  assert.equal(await addressIn('promised'), address);
  assert.equal(await shown(), address);
  await host.weavets('stop');
});

test('a restart without the proxy is noticed', async () => {
  const address = await start('aside');
  await host.docker('restart', '-t', '0', 'aside');
  await isBack('aside', address);
});

test('stopped for a while and started again: the same address', async () => {
  const address = await start('paused-a-while');
  await host.docker('stop', '-t', '0', 'paused-a-while');
  await start('newcomer');
  await host.proxied('start', 'paused-a-while');
  await isBack('paused-a-while', address);
});

test('killed by a signal and restarted by policy', async () => {
  const address = await start('phoenix', '--restart', 'always');
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'phoenix');
  await host.run(['kill', '-9', pid]);
  await until(
    'it runs again',
    async () =>
      (await host.docker('inspect', '-f', '{{.State.Running}} {{.State.Pid}}', 'phoenix')) !== `true ${pid}`,
  );
  await isBack('phoenix', address);
});

test('a dead container’s name is gone, its address is freed on removal', async () => {
  const address = await start('mortal');
  const lookup = async () => (await host.weavets('dns-lookup', 'mortal')).stdout.trim();
  assert.equal(`${await lookup()}/12`, address);
  await host.docker('kill', 'mortal');
  await until('its name is gone', async () => (await lookup()) === '');
  await host.docker('rm', 'mortal');
  await until('its address is free', async () => {
    const { stdout } = await host.weavets('report', '-f', '{{.IPAM.ActiveIPs}}');
    return Number(stdout) === (await host.docker('ps', '-aq')).split('\n').length;
  });
});

test('an address that goes to another container is reached at once, from containers and from the host', async () => {
  await start('asker');
  await host.weavets('expose');
  let last = '';
  for (const name of ['first', 'second', 'third']) {
    await host.proxied(
      'run',
      '-d',
      '--name',
      name,
      '-e',
      'WEAVE_CIDR=10.32.9.9/12',
      'busybox',
      'sleep',
      'inf',
    );
    const ping = ['ping', '-c', '1', '-W', '30', '10.32.9.9'];
    for (const argv of [
      ['docker', 'exec', 'asker', ...ping],
      ['busybox', ...ping],
    ]) {
      const { code, stdout } = await host.run(argv);
      assert.equal(code, 0, `${name} after ${last}, by ${argv[0]}: ${stdout}`);
    }
    await host.docker('rm', '-f', name);
    last = name;
  }
  await host.weavets('hide');
});

test('the daemon stopped, a container started meanwhile, the daemon launched again', async () => {
  const address = await start('steady');
  assert.equal((await host.weavets('stop')).code, 0);
  assert.match(await host.docker('exec', 'steady', 'ip', 'link'), /ethwe/);
  await host.docker('restart', '-t', '0', 'steady');
  await host.launch();
  await isBack('steady', address);
});

test('the daemon killed during ten starts: launch repairs what it finds', async () => {
  const names = Array.from({ length: 10 }, (_, i) => `mid${i}`);
  const attached = async () => (await host.weavets('ps')).stdout.trim().split('\n').length;
  const before = await attached();
  const runs = names.map((name) =>
    host.tryProxied('run', '-d', '--name', name, '--restart', 'always', 'busybox', 'sleep', '100000'),
  );
  await until('the first is attached', async () => (await attached()) > before);
  await crash(host);
  await Promise.all(runs);
  await host.launch();
  const started = (await host.docker('ps', '-q', '--filter', 'name=mid', '--format', '{{.Names}}'))
    .split('\n')
    .filter(Boolean);
  for (const name of started)
    await until(`${name} is attached`, async () => (await addressIn(name)) !== undefined);
  const addresses = await Promise.all(started.map(addressIn));
  assert.equal(new Set(addresses).size, started.length);
});

test('the engine restarted: policy containers are attached again', async () => {
  const address = await start('survivor', '--restart', 'always');
  await host.stopEngine();
  await host.startEngine();
  await isBack('survivor', address);
});

test('the engine killed: likewise', async () => {
  const address = await start('hardy', '--restart', 'always');
  await host.stopEngine('SIGKILL');
  await host.startEngine();
  await isBack('hardy', address);
});

test('flushed firewall rules come back by themselves', async () => {
  await host.runOk(['iptables', '-F', 'WEAVE-FORWARD']);
  await host.runOk(['iptables', '-D', 'INPUT', '-j', 'WEAVE-INPUT']);
  await until('they are back', async () => {
    const { stdout } = await host.shell('iptables-save');
    return (
      stdout.includes('-A WEAVE-FORWARD -i weave -o weave -j ACCEPT') &&
      stdout.includes('-A INPUT -j WEAVE-INPUT')
    );
  });
});

test('a container that ran before a failed start keeps running, and is attached when possible', async () => {
  await host.proxied(
    'create',
    '--rm',
    '--name',
    'denied',
    '-e',
    'WEAVE_CIDR=10.32.77.7/12',
    'busybox',
    'sleep',
    '100000',
  );
  assert.equal((await host.weavets('expose', '10.32.77.7/12')).code, 0);
  // Past the proxy: it runs, and waits for the network.
  await host.docker('start', 'denied');
  const again = await host.tryProxied('start', 'denied');
  assert.equal(again.code, 1);
  assert.match(again.stderr, /10\.32\.77\.7 is already in use/);
  assert.equal(await host.docker('inspect', '-f', '{{.State.Running}}', 'denied'), 'true');
  assert.match((await host.weavets('ps', '--why')).stdout, /denied .*10\.32\.77\.7 is already in use/);
  assert.equal((await host.weavets('hide', '10.32.77.7/12')).code, 0);
  await isBack('denied', '10.32.77.7/12');
});

test("a failed second attach leaves the container's addresses, now and after a restart", async () => {
  const address = await start('twice', '--cap-add', 'NET_ADMIN');
  const rename = async (from: string, to: string) => {
    const script = `ip link set ${from} down; ip link set ${from} name ${to}; ip link set ${to} up`;
    await host.docker('exec', 'twice', 'sh', '-c', script);
  };
  await rename('ethwe', 'away');
  const failed = await host.weavets('attach', '10.2.77.7/24', 'twice');
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /cannot attach container twice/);
  assert.equal((await host.weavets('ps', 'twice')).stdout.trim().split(' ').slice(2).join(' '), address);
  await rename('away', 'ethwe');
  await isBack('twice', address);
  await host.proxied('restart', '-t', '0', 'twice');
  await isBack('twice', address);
  assert.equal((await host.weavets('ps', 'twice')).stdout.trim().split(' ').slice(2).join(' '), address);
});

test('a MAC that a container gave itself is put back when the daemon is launched again', async () => {
  const address = await start('changed', '--cap-add', 'NET_ADMIN');
  const macIn = () => host.docker('exec', 'changed', 'cat', '/sys/class/net/ethwe/address');
  const before = await macIn();
  await host.docker('exec', 'changed', 'ip', 'link', 'set', 'ethwe', 'address', '02:00:00:00:00:77');
  assert.notEqual(await macIn(), before);
  assert.equal((await host.weavets('stop')).code, 0);
  await host.launch();
  await until('it is put back', async () => (await macIn()) === before);
  assert.ok((await host.weavets('ps', 'changed')).stdout.includes(` ${before} `));
  await isBack('changed', address);
});

test('a link whose pid was reused by another process is removed', async () => {
  const gone = 'f'.repeat(64);
  // Pid 1 is alive, and no container's.
  await host.runOk(['ip', 'link', 'add', 'vethwepl1', 'type', 'veth', 'peer', 'name', 'stray0']);
  await host.runOk(['ip', 'link', 'set', 'vethwepl1', 'alias', gone]);
  await until('it is gone', async () => (await host.run(['ip', 'link', 'show', 'vethwepl1'])).code !== 0);
});
