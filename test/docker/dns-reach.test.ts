import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type Host, until } from '../support/host.ts';
import { nameServer } from '../support/name-server.ts';
import { allReleased } from '../support/released.ts';
import { copyProgram } from '../support/static-program.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

const sleeper = ['busybox', 'sleep', 'inf'];

forEachEngine(({ suite }) => {
  const host = useHost({ suite, launch: [] });
  afterEach(async () => {
    await host.removeContainers();
    // The next test expects the lowest.
    await allReleased(host);
  });
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

  test('on a user-defined bridge, behind a firewall that accepts nothing', async () => {
    await host.runOk(['docker', 'network', 'create', 'mine']);
    await host.runOk(['iptables', '-P', 'INPUT', 'DROP']);
    const replies = 'INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT'.split(' ');
    await host.runOk(['iptables', '-A', ...replies]);
    try {
      await run('web');
      await run('guest', '--net', 'mine', '-e', 'WEAVE_CIDR=net:default');
      await run('plain');
      assert.equal(await finds('guest', 'web'), '10.32.0.1');
      assert.equal(await finds('plain', 'web'), '10.32.0.1');
    } finally {
      await host.runOk(['iptables', '-P', 'INPUT', 'ACCEPT']);
      await host.runOk(['iptables', '-D', ...replies]);
      await host.removeContainers();
      await host.runOk(['docker', 'network', 'rm', 'mine']);
    }
  });

  for (const [kind, options] of [
    ['an internal network', ['--internal']],
    ['a macvlan network', ['-d', 'macvlan', '--subnet', '10.251.0.0/24', '-o', 'parent=eth0']],
  ] as const) {
    test(`on ${kind}, where the engine gives no way to the host`, async () => {
      await host.runOk(['docker', 'network', 'create', ...options, 'apart']);
      try {
        await run('web');
        for (let i = 1; i <= 5; i++) {
          const guest = `guest${i}`;
          await run(guest, '--net', 'apart', '-e', 'WEAVE_CIDR=net:default');
          assert.equal(await finds(guest, 'web'), '10.32.0.1', guest);
          assert.match((await finds('web', guest)) ?? '', /^10\.32\.0\./, guest);
        }
      } finally {
        await host.removeContainers();
        await host.runOk(['docker', 'network', 'rm', 'apart']);
      }
    });
  }

  test('a name with addresses in two subnets: the reachable one comes first', async () => {
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

  test('a --dns server answers only queries that are not ours, even with musl', async () => {
    await using server = await nameServer(host, '10.250.0.1');
    await run('web');
    await run('guest', '--dns', server.address);
    await copyProgram(host, 'guest', resolve);
    for (let i = 0; i < 50; i++) {
      const { stdout } = await host.run(['docker', 'exec', 'guest', '/resolve', 'web.weave.local']);
      assert.equal(stdout.trim(), '10.32.0.1', `lookup ${i}`);
    }
    assert.equal(
      (await host.run(['docker', 'exec', 'guest', '/resolve', 'www.corp.test'])).stdout,
      '192.0.2.7\n',
    );
    // The others query the host's servers.
    await copyProgram(host, 'web', resolve);
    assert.equal((await host.run(['docker', 'exec', 'web', '/resolve', 'www.corp.test'])).stdout, '');
    const shown = JSON.parse(await host.proxied('inspect', '-f', '{{json .HostConfig.Dns}}', 'guest'));
    assert.deepEqual(shown, [server.address]);
  });

  test('public names still resolve after weavets stop', async () => {
    await using server = await nameServer(host, '10.250.0.1');
    const before = await host.runOk(['cat', '/etc/resolv.conf']);
    await host.shell(`echo 'nameserver ${server.address}' > /etc/resolv.conf`);
    await until('the daemon has read it', async () =>
      (await host.weavets('status')).stdout.includes(`Upstream: ${server.address}\n`),
    );
    await host.runOk(['docker', 'network', 'create', 'mine']);
    try {
      await run('plain');
      await run('guest', '--dns', server.address);
      await run('user', '--net', 'mine', '-e', 'WEAVE_CIDR=net:default');
      await host.weavets('stop');
      for (const container of ['plain', 'guest', 'user']) {
        assert.equal(await finds(container, 'www.corp.test'), '192.0.2.7', container);
      }
      await host.launch();
      for (const container of ['plain', 'guest', 'user']) {
        assert.equal(await finds(container, 'plain'), '10.32.0.1', container);
        assert.equal(await finds(container, 'www.corp.test'), '192.0.2.7', container);
      }
    } finally {
      await host.shell('cat > /etc/resolv.conf', { input: before });
      await host.removeContainers();
      await host.runOk(['docker', 'network', 'rm', 'mine']);
    }
  });

  test("when docker0's address changes, new containers use it, and old ones are answered at the old one", async () => {
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
    // Even by a daemon started afterwards.
    await host.weavets('stop');
    await host.launch();
    assert.equal(await finds('old', 'web'), web);
    assert.equal(await finds('new', 'web'), web);
  });

  test('without docker0, all containers ask over the weave bridge', async () => {
    await host.weavets('stop');
    await host.stopEngine();
    await host.run(['ip', 'link', 'del', 'docker0']);
    await host.startEngine(['--bridge=none']);
    await host.launch();
    await run('web');
    await run('other');
    assert.equal(await finds('other', 'web'), '10.32.0.1');
  });
});

/** Address that a container's own resolver finds; undefined: none. */
async function lookUp(host: Host, container: string, name: string): Promise<string | undefined> {
  const { stdout } = await host.run(['docker', 'exec', container, 'ping', '-c', '1', '-W', '1', name]);
  return /^PING \S+ \(([\d.]+)\)/.exec(stdout)?.[1];
}

/** Prints the address that the C library finds for a name. */
const resolve = {
  name: 'resolve',
  source: `
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
  if (getaddrinfo(argv[1], 0, &hints, &list)) return 1;
  puts(inet_ntoa(((struct sockaddr_in *)list->ai_addr)->sin_addr));
}`,
};
