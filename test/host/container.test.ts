import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { Host, repository, until } from '../support/host.ts';

test('the daemon in a container, from the compose file, with only the listed privileges', async (t) => {
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

  await t.test('also by the list of systemd-resolved, to which the host has a link', async () => {
    await host.shell(`mkdir -p /run/systemd/resolve && echo 'nameserver 10.250.0.78' > /run/systemd/resolve/resolv.conf
      ln -sfn ../run/systemd/resolve/resolv.conf /etc/resolv.conf`);
    await until('it asks that server', async () =>
      (await host.weavets('status')).stdout.includes('Upstream: 10.250.0.78'),
    );
  });
  await t.test("containers' hosts files have their weave addresses", async () => {
    assert.match(
      await host.docker('exec', 'one', 'cat', '/etc/hosts'),
      /^10\.32\.\d+\.\d+\tone\.weave\.local/m,
    );
  });
  await t.test("the host's name among others comes from its own machine id", async () => {
    const machine = (await host.runOk(['cat', '/etc/machine-id'])).trim();
    const made = createHash('sha256').update(`weavets ${machine}`).digest('hex');
    const name = (await host.weavets('report', '-f', '{{.Router.Name}}')).stdout.trim();
    assert.equal(name.replaceAll(':', '').slice(2), made.slice(2, 12));
  });
  await t.test('the folders are there that show early that a container starts', async () => {
    const id = await host.docker('inspect', '-f', '{{.Id}}', 'one');
    for (const folder of ['containerd/daemon/io.containerd.runtime.v2.task', 'runtime-runc'])
      await host.runOk(['test', '-d', `/proc/${pid}/root/run/docker/${folder}/moby/${id}`]);
  });
  /** Node's own, as of too many listeners. */
  const noWarnings = (when: string) =>
    t.test(`nothing warns of a leak, ${when}`, async () => {
      const { stdout, stderr } = await host.run(['docker', 'logs', 'weave']);
      assert.doesNotMatch(stdout + stderr, /Warning: /);
    });
  await noWarnings('alone');

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
  await noWarnings('with an etcd');
  // With its volume: the next one is another cluster.
  await host.runOk([...cluster, 'down', '-v'], { env });

  // The kernel here has no WireGuard: then a container needs the device for tunnels too.
  await host.shell('cat > /etc/tun.yml', { input: 'services: {weave: {devices: [/dev/net/tun]}}\n' });
  cluster.splice(3, 0, '-f', '/etc/tun.yml');
  const secret = { ...env, WEAVE_PASSWORD: 'correct horse' };
  await host.runOk([...cluster, 'up', '-d', '--no-build'], { env: secret });
  try {
    await until('it encrypts', async () =>
      (await host.weavets('status')).stdout.includes('Encryption: enabled'),
    );
  } catch (error) {
    assert.fail(`${error}\n${await host.docker('logs', '--tail', '50', 'weave')}`);
  }
  const key = (await host.runOk(['docker', 'exec', 'weave', 'wg', 'show', 'weave-wg', 'private-key'])).trim();
  const folders = ['/var/lib/weave', '/var/run/weave', '/var/lib/docker/containers'];
  const found = await host.run(['grep', '-rlF', key, ...folders]);
  assert.deepEqual([found.code, found.stdout], [1, ''], 'its private key is in no file');
  await host.runOk([...cluster, 'down'], { env: secret });
});
