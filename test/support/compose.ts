import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type Host, until } from './host.ts';

/** Two services on the project's own network, which ask for an address by label and by environment. */
const onOwnNetwork = `
version: "2.4"
services:
  web:
    image: busybox
    # Podman's containers may not ping without it.
    cap_add: [NET_RAW]
    command: sleep 1000
    labels:
      weavets.cidr: "net:default"
  db:
    image: busybox
    # Podman's containers may not ping without it.
    cap_add: [NET_RAW]
    command: sleep 1000
    environment:
      WEAVE_CIDR: 10.32.77.7/12
  plain:
    image: busybox
    # Podman's containers may not ping without it.
    cap_add: [NET_RAW]
    command: sleep 1000
`;

/** Two services on Docker's bridge, as containers of `docker run` are. */
const onBridge = `
version: "2.4"
services:
  one:
    image: busybox
    # Podman's containers may not ping without it.
    cap_add: [NET_RAW]
    command: sleep 1000
    network_mode: bridge
  two:
    image: busybox
    # Podman's containers may not ping without it.
    cap_add: [NET_RAW]
    command: sleep 1000
    network_mode: bridge
`;

/**
 * Plays Compose through the proxy of a host.
 * @param command argv that runs it with further arguments @param joint what joins a container's name: `_` or `-`
 * @param domain what `hostname -f` has behind the name on a network of the user's
 */
export async function playCompose(
  host: Host,
  command: readonly string[],
  joint: '_' | '-',
  domain = '.weave.local',
): Promise<void> {
  // Hosts share /tmp with the machine, and two may play at the same time.
  const file = `/tmp/weavets-compose-${process.pid}.yml`;
  const compose = async (...args: string[]) => {
    const files = ['-p', 'cp', '-f', file];
    const out = await host.run([...command, ...files, ...args], { env: { DOCKER_HOST: host.proxySocket } });
    assert.equal(out.code, 0, `${args.join(' ')}: ${out.stdout}${out.stderr}`);
    return out.stdout;
  };
  const named = (service: string) => `cp${joint}${service}${joint}1`;
  const exec = (service: string, ...argv: string[]) => compose('exec', '-T', service, ...argv);

  await writeFile(host.path(file), onOwnNetwork);
  await compose('up', '-d');
  assert.match(await exec('web', 'ip', '-4', 'addr', 'show', 'ethwe'), /inet 10\.32\.\d+\.\d+\/12 /);
  assert.match(await exec('db', 'ip', '-4', 'addr', 'show', 'ethwe'), /inet 10\.32\.77\.7\/12 /);
  assert.doesNotMatch(await exec('plain', 'ip', 'addr'), /ethwe/);
  // Docker's own DNS knows the service by its address on the project's network, ours by that on the weave.
  const [, own] = /inet (\S+)\//.exec(await exec('db', 'ip', '-4', 'addr', 'show', 'eth0')) ?? [];
  assert.ok((await exec('web', 'ping', '-c', '1', 'db')).startsWith(`PING db (${own})`));
  assert.match(await exec('web', 'ping', '-c', '1', `${named('db')}.weave.local`), /\(10\.32\.77\.7\)/);
  assert.equal(await exec('db', 'hostname', '-f'), `${named('db')}${domain}\n`);
  await compose('restart', '-t', '0', 'db');
  assert.match(await exec('web', 'ping', '-c', '1', `${named('db')}.weave.local`), /\(10\.32\.77\.7\)/);
  await compose('down', '-t', '0');

  await writeFile(host.path(file), onBridge);
  await compose('up', '-d');
  assert.match(
    await exec('one', 'ping', '-c', '1', named('two')),
    /\(10\.32\.\d+\.\d+\)[\s\S]* 0% packet loss/,
  );
  assert.match(
    await exec('two', 'ping', '-c', '1', named('one')),
    /\(10\.32\.\d+\.\d+\)[\s\S]* 0% packet loss/,
  );
  await compose('down', '-t', '0');
  await until(
    'none is attached',
    async () => (await host.weavets('ps')).stdout.trim().split('\n').length === 1,
  );
}
