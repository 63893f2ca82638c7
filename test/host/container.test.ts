import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Host, repository, until } from '../support/host.ts';

test('the daemon in a container, from the compose file, with only the listed privileges', async () => {
  await using host = await Host.create();
  await host.runOk(['sh', join(repository, 'test/support/daemon-image.sh'), repository]);
  const compose = (...args: string[]) =>
    host.runOk(['docker-compose', '-f', join(repository, 'docker-compose.yml'), ...args]);
  await compose('up', '-d', '--no-build');
  try {
    await until(
      'the daemon in the container answers',
      async () => (await host.run(['docker', 'exec', 'weave', 'weavets', 'status'])).code === 0,
    );
  } catch (error) {
    assert.fail(`${error}\n${await host.docker('logs', 'weave')}`);
  }
  assert.equal(await host.docker('inspect', '-f', '{{.HostConfig.Privileged}}', 'weave'), 'false');
  // Docker's own profile of system calls is in force: 2 is a filter.
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'weave');
  assert.match(await host.runOk(['cat', `/proc/${pid}/status`]), /^Seccomp:\t2$/m);

  const typed = await host.shell(
    `eval $(docker exec weave weavets env) && docker run --name one -itd busybox && docker run --name two -itd --read-only busybox && docker exec one ping -c 1 two`,
    { env: { DOCKER_HOST: undefined } },
  );
  assert.equal(typed.code, 0, typed.stderr);
  assert.match(typed.stdout, / 0% packet loss/);
  assert.match((await host.shell('iptables-save')).stdout, /-A WEAVE-FORWARD -i weave -o weave -j ACCEPT/);

  // From outside, by the same socket, with the same command line.
  assert.equal((await host.weavets('ps')).stdout.trim().split('\n').length, 3);

  // The host's name servers, when their list is replaced as network managers do.
  await host.shell(`echo 'nameserver 10.250.0.77' > /etc/new.conf && mv /etc/new.conf /etc/resolv.conf`);
  await until('the daemon asks the server that the host asks now', async () =>
    (await host.weavets('status')).stdout.includes('Upstream: 10.250.0.77'),
  );

  await host.docker('restart', '-t', '5', 'weave');
  await until('it is back, and knows its containers', async () =>
    (await host.tryDocker('exec', 'two', 'ping', '-c', '1', 'one')).stdout.includes(' 0% packet loss'),
  );
  await compose('down');

  // With others: the profile has an etcd, which is on loopback unless an address is given.
  const cluster = ['docker-compose', '-f', join(repository, 'docker-compose.yml'), '--profile', 'cluster'];
  const env = { WEAVE_STORE: 'etcd://127.0.0.1:2379' };
  await host.runOk([...cluster, 'up', '-d', '--no-build'], { env });
  await until('the daemon has found the etcd', async () => {
    const { code, stdout } = await host.weavets('cluster', 'status', '--json');
    return code === 0 && stdout.includes('127.0.0.1:2379');
  });
  const listening = await host.shell('ss -Hltn "sport = :2379"');
  assert.deepEqual(
    listening.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/)[3]),
    ['127.0.0.1:2379'],
  );
  assert.equal(
    await host
      .docker('exec', 'two', 'ip', '-4', '-o', 'addr', 'show', 'ethwe')
      .then((text) => text.includes('10.32.')),
    true,
  );
  await host.runOk([...cluster, 'down'], { env });
});
