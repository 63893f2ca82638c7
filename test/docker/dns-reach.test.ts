import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type Host, until } from '../support/host.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

const sleeper = ['busybox', 'sleep', 'inf'];

forEachEngine(({ suite }) => {
  const host = useHost({ suite, launch: [] });
  afterEach(() => host.removeContainers());
  const run = (name: string, ...args: string[]) =>
    host.proxied('run', '-d', '--name', name, ...args, ...sleeper);
  const finds = (asker: string, name: string) => lookUp(host, asker, name);

  test('with --net none', async () => {
    await run('web');
    await run('alone', '--net', 'none');
    assert.equal(await finds('alone', 'web'), '10.32.0.1');
    assert.equal(await finds('web', 'alone'), '10.32.0.2');
    // In a subnet of its own, of which the host knows nothing.
    await run('far', '--net', 'none', '-e', 'WEAVE_CIDR=10.77.1.1/24');
    assert.equal(await finds('far', 'web'), '10.32.0.1');
  });

  test('on a bridge of the user, behind a firewall that lets nothing in', async () => {
    await host.runOk(['docker', 'network', 'create', 'mine']);
    await host.runOk(['iptables', '-P', 'INPUT', 'DROP']);
    await host.runOk([
      'iptables',
      '-A',
      'INPUT',
      '-m',
      'conntrack',
      '--ctstate',
      'ESTABLISHED',
      '-j',
      'ACCEPT',
    ]);
    try {
      await run('web');
      await run('guest', '--net', 'mine', '-e', 'WEAVE_CIDR=net:default');
      await run('plain');
      assert.equal(await finds('guest', 'web'), '10.32.0.1');
      assert.equal(await finds('plain', 'web'), '10.32.0.1');
    } finally {
      await host.runOk(['iptables', '-P', 'INPUT', 'ACCEPT']);
      await host.runOk([
        'iptables',
        '-D',
        'INPUT',
        '-m',
        'conntrack',
        '--ctstate',
        'ESTABLISHED',
        '-j',
        'ACCEPT',
      ]);
      await host.removeContainers();
      await host.runOk(['docker', 'network', 'rm', 'mine']);
    }
  });

  test('a name with addresses in two subnets: that which the asker can reach comes first', async () => {
    await run('one', '-h', 'both.weave.local');
    await run('two', '-h', 'both.weave.local', '-e', 'WEAVE_CIDR=10.77.1.1/24');
    await run('here');
    await run('there', '-e', 'WEAVE_CIDR=10.77.1.2/24');
    const both = async (asker: string) => {
      const { stdout } = await host.run(['docker', 'exec', asker, 'nslookup', 'both.weave.local']);
      return [...stdout.matchAll(/^Address(?: \d)?: +((?:10\.77|10\.32)\.[\d.]+)/gm)].map(([, ip]) => ip);
    };
    for (let i = 0; i < 10; i++) {
      assert.deepEqual(await both('here'), ['10.32.0.1', '10.77.1.1']);
      assert.deepEqual(await both('there'), ['10.77.1.1', '10.32.0.1']);
    }
  });

  test('when docker0 has got another address, new containers ask there, and old ones are answered where they ask', async () => {
    await run('web');
    await run('old');
    await host.stopEngine();
    await host.startEngine(['--bip=172.30.0.1/16']);
    await until('dns is on the new address, too', async () =>
      (await host.weavets('dns-args')).stdout.includes('172.30.0.1'),
    );
    await host.proxied('start', 'web', 'old');
    await run('new');
    const servers = (container: string) => host.proxied('exec', container, 'cat', '/etc/resolv.conf');
    assert.match(await servers('old'), /nameserver 172\.17\.0\.1/);
    assert.match(await servers('new'), /nameserver 172\.30\.0\.1/);
    const [web] = (await host.weavets('dns-lookup', 'web')).stdout.split('\n');
    assert.equal(await finds('old', 'web'), web);
    assert.equal(await finds('new', 'web'), web);
    // Also by a daemon that was not there when it happened.
    await host.weavets('stop');
    await host.launch();
    assert.equal(await finds('old', 'web'), web);
    assert.equal(await finds('new', 'web'), web);
  });
});

/** Address that a container's own resolver finds; undefined: none. */
async function lookUp(host: Host, container: string, name: string): Promise<string | undefined> {
  const { stdout } = await host.run(['docker', 'exec', container, 'ping', '-c', '1', '-W', '5', name]);
  return /^PING \S+ \(([\d.]+)\)/.exec(stdout)?.[1];
}
