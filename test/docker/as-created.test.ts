/** The proxy's additions don't show through it: field by field beside the engine alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachEngine, useHost } from '../support/use-host.ts';

interface Mount {
  Name?: string;
  Source?: string;
  Destination: string;
}

interface Inspected {
  Id: string;
  Created?: string;
  Name?: string;
  GraphDriver?: unknown;
  Mounts: Mount[];
}

const requests: Record<string, object> = {
  'an image': { Image: 'busybox' },
  'a command': { Image: 'busybox', Cmd: ['ls', '-l'] },
  'an entrypoint': { Image: 'both', Entrypoint: ['/bin/sh', '-c'] },
  both: { Image: 'busybox', Entrypoint: ['/bin/sh'], Cmd: ['-c', 'true'] },
  'no entrypoint': { Image: 'both', Entrypoint: [''], Cmd: ['ls'] },
  'an empty entrypoint': { Image: 'both', Entrypoint: [], Cmd: ['ls'] },
  'the image’s entrypoint and command': { Image: 'both' },
  'the image’s entrypoint': { Image: 'both', Cmd: ['other'] },
  'an image of BuildKit’s': { Image: 'escaped' },
  'an image with a volume at /w': { Image: 'volume', Cmd: ['ls'] },
  resolvers: {
    Image: 'busybox',
    HostConfig: { Dns: ['9.9.9.9'], DnsSearch: ['a.test'], DnsOptions: ['ndots:2'] },
  },
  'empty lists': { Image: 'busybox', HostConfig: { Dns: [], DnsSearch: [], Binds: [] }, Cmd: [] },
  binds: { Image: 'busybox', HostConfig: { Binds: ['/tmp:/a', '/etc:/b:ro', 'named:/c'] } },
  'a bind at /w': { Image: 'busybox', HostConfig: { Binds: ['/tmp:/w'] } },
  mounts: {
    Image: 'busybox',
    HostConfig: {
      Mounts: [
        { Type: 'bind', Source: '/tmp', Target: '/w/x' },
        { Type: 'volume', Source: 'named', Target: '/v' },
        { Type: 'tmpfs', Target: '/t' },
      ],
      Tmpfs: { '/run/x': 'size=1m' },
    },
  },
  volumes: { Image: 'busybox', Volumes: { '/data': {} } },
  'a hostname': { Image: 'busybox', Hostname: 'h', Domainname: 'd.test' },
  'a working directory': { Image: 'busybox', WorkingDir: '/w/app' },
  'an environment': {
    Image: 'busybox',
    Env: ['A=1', 'WEAVE_CIDR=10.2.1.9/24'],
    Labels: { a: 'b' },
    User: '1000',
  },
  'a network among the endpoints': {
    Image: 'busybox',
    NetworkingConfig: { EndpointsConfig: { own: { Aliases: ['alias'] } } },
  },
  'a network among the endpoints, and an address': {
    Image: 'busybox',
    Env: ['WEAVE_CIDR='],
    NetworkingConfig: { EndpointsConfig: { own: {} } },
  },
  'no network': { Image: 'busybox', HostConfig: { NetworkMode: 'none' } },
  'ports and policies': {
    Image: 'busybox',
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 60_000_000_000 },
    HostConfig: {
      PortBindings: { '80/tcp': [{ HostPort: '' }] },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    },
  },
};

forEachEngine(({ suite, api }) => {
  const host = useHost({ suite, launch: [], prepare });
  const sockets = { proxy: '/var/run/weave/weave.sock', engine: '/var/run/docker.sock' };

  async function call<T>(
    through: keyof typeof sockets,
    method: string,
    path: string,
    body?: object,
  ): Promise<T> {
    const text = await host.runOk([
      ...['curl', '-sS', '--fail-with-body', '--unix-socket', sockets[through], '-X', method],
      ...(body ? ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)] : []),
      `http://docker${path}`,
    ]);
    return JSON.parse(text) as T;
  }

  async function prepare(): Promise<void> {
    await host.docker('create', '--name', 'base', 'busybox');
    await host.docker('network', 'create', 'own');
    const conf = { Entrypoint: ['echo', 'ep'], Cmd: ['cmd'] };
    await call('engine', 'POST', '/v1.41/commit?container=base&repo=both', conf);
    await call('engine', 'POST', '/v1.41/commit?container=base&repo=escaped', {
      Cmd: ['sh'],
      ArgsEscaped: true,
    });
    await call('engine', 'POST', '/v1.41/commit?container=base&repo=volume', { Volumes: { '/w': {} } });
  }

  /** A container that was made and is looked at through this socket; what differs from one to the next is the same. */
  async function made(through: keyof typeof sockets, version: string, body: object): Promise<unknown> {
    const { Id } = await call<{ Id: string }>(through, 'POST', `/v${version}/containers/create`, {
      HostConfig: {},
      ...body,
    });
    const text = JSON.stringify(await call(through, 'GET', `/v${version}/containers/${Id}/json`));
    await host.docker('rm', '-v', Id);
    const { Created, Name, GraphDriver, ...shown } = JSON.parse(
      text.replaceAll(Id, 'ID').replaceAll(Id.slice(0, 12), 'SHORT'),
    ) as Inspected;
    for (const mount of shown.Mounts) {
      if (!/^[0-9a-f]{64}$/.test(mount.Name ?? '')) continue;
      mount.Source = mount.Source?.replace(mount.Name ?? '', 'ANONYMOUS');
      mount.Name = 'ANONYMOUS';
    }
    // The engine lists them as they come.
    shown.Mounts.sort((a, b) => a.Destination.localeCompare(b.Destination));
    return shown;
  }

  for (const [what, body] of Object.entries(requests)) {
    test(`${what}: shown as without us`, async () => {
      for (const version of new Set(['1.41', api])) {
        assert.deepEqual(await made('proxy', version, body), await made('engine', version, body), version);
      }
    });
  }

  test('a network that is joined later has the names it has without us', async () => {
    const names = async (through: keyof typeof sockets) => {
      const client = through === 'proxy' ? 'proxied' : 'docker';
      await host[client]('run', '-d', '--name', 'joins', 'busybox', 'sleep', '10000');
      await host[client]('network', 'connect', 'own', 'joins');
      const path = `/v${api}/containers/joins/json`;
      const { Id, NetworkSettings } = await call<{
        Id: string;
        NetworkSettings: { Networks: Record<string, { DNSNames?: string[]; Aliases?: string[] }> };
      }>(through, 'GET', path);
      await host.docker('rm', '-f', 'joins');
      const { DNSNames, Aliases } = NetworkSettings.Networks.own ?? {};
      return JSON.stringify({ DNSNames, Aliases }).replaceAll(Id.slice(0, 12), 'SHORT');
    };
    assert.equal(await names('proxy'), await names('engine'));
  });

  test('an image made from a container has nothing of ours, and runs on the engine alone', async () => {
    await host.proxied('run', '-d', '--name', 'c1', 'busybox', 'sh', '-c', 'exec sleep 10000');
    await host.docker('run', '-d', '--name', 'd1', 'busybox', 'sh', '-c', 'exec sleep 10000');
    const changes: string[][] = [
      [],
      ['-c', 'CMD ["echo","a"]'],
      ['-c', 'ENTRYPOINT ["echo"]'],
      ['-c', 'ENV A=1'],
    ];
    for (const change of changes) {
      await host.proxied('commit', ...change, 'c1', 'i1');
      await host.docker('commit', ...change, 'd1', 'i2');
      const config = async (image: string) => {
        const shown = JSON.parse(await host.docker('image', 'inspect', '-f', '{{json .Config}}', image)) as {
          Entrypoint?: string[] | null;
          Hostname?: string;
        };
        // None, an empty list or nothing at all: the engine takes them for the same.
        return { ...shown, Entrypoint: shown.Entrypoint ?? [], Hostname: shown.Hostname?.length };
      };
      assert.deepEqual(await config('i1'), await config('i2'), change.join(' '));
    }
    await host.proxied('commit', 'c1', 'i1');
    assert.equal(await host.docker('run', '--rm', 'i1', 'echo', 'ran'), 'ran');
    // One that was made past the proxy has the shim; it runs with it, or without where it is not attached.
    await host.docker('commit', 'c1', 'i3');
    for (const network of ['bridge', 'host'])
      assert.equal(await host.proxied('run', '--rm', '--net', network, 'i3', 'echo', network), network);
  });

  test('exec is neither held nor changed, whatever happened to ethwe', async () => {
    await host.proxied('run', '-d', '--name', 'admin', '--cap-add', 'NET_ADMIN', 'busybox', 'sleep', '10000');
    await host.proxied('exec', 'admin', 'ip', 'route', 'del', '224.0.0.0/4', 'dev', 'ethwe');
    assert.equal(await host.proxied('exec', 'admin', 'echo', 'ran'), 'ran');
    await host.proxied('exec', 'admin', 'ip', 'link', 'set', 'ethwe', 'down');
    assert.equal(await host.proxied('exec', 'admin', 'echo', 'ran'), 'ran');
    await host.docker('run', '-d', '--name', 'foreign', 'busybox', 'sleep', '10000');
    assert.equal(await host.proxied('exec', 'foreign', 'echo', 'ran'), 'ran');
  });

  test('anything the user has at /w or below stays theirs', async () => {
    const run = (...args: string[]) => host.proxied('run', '--rm', ...args);
    assert.equal(await run('-w', '/w/app', 'busybox', 'pwd'), '/w/app');
    assert.equal(await run('--tmpfs', '/w', 'busybox', 'sh', '-c', 'echo a >/w/f; cat /w/f; ls /w'), 'a\nf');
    assert.equal(
      await run('-v', 'mine:/w/data', 'busybox', 'sh', '-c', 'echo b >/w/data/f; cat /w/data/f'),
      'b',
    );
    await host.runOk(['sh', '-c', 'mkdir /run/own; echo d >/run/own/f']);
    assert.equal(await run('-v', '/run/own:/w:ro', 'busybox', 'cat', '/w/f'), 'd');
    assert.equal(await run('volume', 'sh', '-c', 'echo c >/w/f; cat /w/f'), 'c');
    assert.match(await run('-w', '/w', 'busybox', 'ip', '-o', '-4', 'addr'), / ethwe .*10\.32\./);
  });

  test('so does what the image has there, and what comes from another container’s volumes', async () => {
    const image = async (name: string, script: string) => {
      await host.docker('run', '--name', name, 'busybox', 'sh', '-c', script);
      await host.docker('commit', '-c', 'CMD ["sh"]', name, name);
    };
    const run = (...args: string[]) => host.proxied('run', '--rm', ...args);
    await image('program', 'mkdir /w; echo echo app >/w/app.sh');
    assert.equal(await run('program', 'sh', '/w/app.sh'), 'app');
    await image('file', 'echo text >/w');
    assert.equal(await run('file', 'cat', '/w'), 'text');
    await image('link', 'mkdir /data; ln -s data /w');
    assert.equal(await run('link', 'sh', '-c', 'touch /w/a; ls /data'), 'a');
    assert.match(await run('link', 'ip', '-o', '-4', 'addr'), / ethwe .*10\.32\./);
    for (const [through, target] of [
      ['proxied', '/w'],
      ['docker', '/w'],
      ['proxied', '/w/data'],
    ] as const) {
      await host[through](
        'run',
        '-d',
        '--name',
        'holder',
        '-v',
        `kept:${target}`,
        'busybox',
        'sleep',
        '10000',
      );
      const script = `echo e >${target}/f; cat ${target}/f`;
      assert.equal(await run('--volumes-from', 'holder:rw', 'busybox', 'sh', '-c', script), 'e');
      await host.docker('rm', '-f', 'holder');
    }
  });
});
