/** Tools that compare containers and recreate them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { inSuite, until } from '../support/host.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

interface Config {
  Image: string;
  Hostname: string;
  Cmd?: string[] | null;
  Entrypoint?: string[] | null;
  Env?: string[] | null;
  Labels?: Record<string, string> | null;
}

interface Container {
  Id: string;
  Image: string;
  Config: Config;
  HostConfig: { Binds: string[] | null; Dns: string[] | null; DnsSearch: string[] | null };
  Mounts: unknown[];
}

const same = (a: unknown, b: unknown) => JSON.stringify(a ?? []) === JSON.stringify(b ?? []);

forEachEngine(({ suite }) => {
  const host = useHost({ suite, launch: [] });

  async function api<T>(method: string, path: string, body?: object): Promise<T> {
    const socket = host.proxySocket.replace('unix://', '');
    const text = await host.runOk([
      ...['curl', '-sS', '--fail-with-body', '--unix-socket', socket, '-X', method],
      ...(body ? ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)] : []),
      `http://docker/v1.41${path}`,
    ]);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Like an updater: whatever a container has beyond its image is kept with the new image. */
  async function update(name: string): Promise<void> {
    const { Image, Config: config, HostConfig } = await api<Container>('GET', `/containers/${name}/json`);
    const { Config: old } = await api<{ Config: Config }>('GET', `/images/${Image}/json`);
    if (same(config.Entrypoint, old.Entrypoint)) {
      config.Entrypoint = null;
      if (same(config.Cmd, old.Cmd)) config.Cmd = null;
    }
    config.Env = config.Env?.filter((entry) => !old.Env?.includes(entry)) ?? null;
    await host.proxied('rm', '-f', name);
    await api('POST', `/containers/create?name=${name}`, { ...config, HostConfig });
    await host.proxied('start', name);
  }

  /** The image `app`, whose command sleeps that long. */
  async function release(seconds: number): Promise<void> {
    await host.docker('create', '--name', 'base', 'busybox');
    await host.docker('commit', '-c', `CMD ["sleep","${seconds}"]`, 'base', 'app');
    await host.docker('rm', 'base');
  }

  test("an updater gets the new image’s command, and our additions don't pile up", async () => {
    await release(1001);
    await host.proxied('run', '-d', '--name', 'web', '-v', '/tmp:/data', '--dns-search', 'a.test', 'app');
    const before = await api<Container>('GET', '/containers/web/json');
    for (const seconds of [1002, 1003]) {
      await release(seconds);
      await update('web');
      const after = await api<Container>('GET', '/containers/web/json');
      assert.deepEqual(after.HostConfig, before.HostConfig);
      assert.deepEqual(after.Mounts, before.Mounts);
      assert.deepEqual(after.Config.Cmd, ['sleep', String(seconds)]);
      await until('its command runs', async () =>
        (await host.docker('exec', 'web', 'cat', '/proc/1/cmdline')).startsWith(`sleep\0${seconds}`),
      );
      assert.match(await host.docker('exec', 'web', 'ip', '-o', '-4', 'addr'), / ethwe /);
      assert.equal(await host.docker('exec', 'web', 'hostname'), 'web.weave.local');
      assert.match((await host.weavets('dns-lookup', 'web')).stdout, /^10\.32\.0\.\d+\n$/);
    }
    // An updater that reads without the proxy copies the shim; it is added only once.
    const [raw] = JSON.parse(await host.docker('inspect', 'web')) as [Container];
    await host.proxied('rm', '-f', 'web');
    await api('POST', '/containers/create?name=web', { ...raw.Config, HostConfig: raw.HostConfig });
    const { HostConfig, Config } = await api<Container>('GET', '/containers/web/json');
    assert.deepEqual([HostConfig.Binds, Config.Cmd], [before.HostConfig.Binds, ['sleep', '1003']]);
    await host.proxied('rm', '-f', 'web');
  });

  test('a second run of a task runner that compares changes nothing', async () => {
    const wanted = {
      Image: 'busybox',
      Cmd: ['sleep 1000'],
      Entrypoint: ['/bin/sh', '-c'],
      Hostname: 'task',
      WorkingDir: '/w',
      HostConfig: { Binds: ['/tmp:/data:ro'], Dns: ['9.9.9.9'], DnsSearch: ['a.test', 'b.test'] },
    };
    await api('POST', '/containers/create?name=task', wanted);
    await host.proxied('start', 'task');
    const there = await api<Container>('GET', '/containers/task/json');
    const config = there.Config as unknown as Record<string, unknown>;
    const hostConfig = there.HostConfig as unknown as Record<string, unknown>;
    const { HostConfig, ...rest } = wanted;
    const differs = [
      ...Object.entries(rest).filter(([field, value]) => !same(config[field], value)),
      ...Object.entries(HostConfig).filter(([field, value]) => !same(hostConfig[field], value)),
    ];
    assert.deepEqual(differs, []);
    assert.equal(there.Mounts.length, 1);
    await host.proxied('rm', '-f', 'task');
  });

  test('Compose 2 leaves up-to-date containers alone', async () => {
    // Hosts share /tmp with the machine, and two may play at the same time.
    const file = `/tmp/recreate-${process.pid}.yml`;
    await writeFile(
      host.path(file),
      'services:\n  one:\n    image: busybox\n    command: sleep 1000\n    network_mode: bridge\n',
    );
    const up = await inSuite(suite ?? 'sid', ['docker-compose', '-f', file, '-p', 'p', 'up', '-d']);
    const env = { DOCKER_HOST: host.proxySocket };
    const ids: string[] = [];
    for (let time = 0; time < 2; time++) {
      const out = await host.run(up, { env });
      assert.equal(out.code, 0, out.stderr);
      ids.push(await host.docker('ps', '-q', '--no-trunc', '--filter', 'label=com.docker.compose.project=p'));
    }
    assert.match(ids[0] ?? '', /^[0-9a-f]{64}$/);
    assert.equal(ids[1], ids[0]);
    await host.removeContainers();
  });
});
