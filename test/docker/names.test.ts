import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { Host } from '../support/host.ts';
import { until } from '../support/host.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

forEachEngine(({ suite }) => {
  const host = useHost({ suite, launch: [] });
  afterEach(() => host.removeContainers());

  const asker = () => host.proxied('run', '-d', '--name', 'asker', 'busybox', 'sleep', 'inf');
  /** The addresses that a container finds for a name, as its C library looks it up. */
  const found = (name: string) => lookUp(host, 'asker', name);
  const addressOf = async (container: string) =>
    (
      await host.runOk([
        'sh',
        '-c',
        `docker -H ${host.proxySocket} exec ${container} ip -4 -o addr show ethwe`,
      ])
    )
      .trim()
      .split(/\s+/)[3]
      ?.split('/')[0];

  test('a rename is followed: the new name is found, the old one is not, and can be used again', async () => {
    await asker();
    await host.proxied('run', '-d', '--name', 'aa', 'busybox', 'sleep', 'inf');
    const address = await addressOf('aa');
    assert.equal(await found('aa'), address);
    await host.proxied('rename', 'aa', 'bb');
    await until('bb is found', async () => (await found('bb')) === address);
    assert.equal(await found('aa'), undefined);
    assert.equal(await found('bb.weave.local'), address);
    // From inside as well.
    await until('it sees its new name', async () => {
      return (await host.proxied('exec', 'bb', 'hostname')) === 'bb.weave.local';
    });
    await host.proxied('run', '-d', '--name', 'aa', 'busybox', 'sleep', 'inf');
    assert.equal(await found('aa'), await addressOf('aa'));
    // Also by the one that was called so.
    const pinged = await host.proxied('exec', 'bb', 'ping', '-c', '1', 'aa');
    assert.ok(pinged.includes(`(${await addressOf('aa')})`), pinged);
    assert.match(await host.proxied('exec', 'bb', 'ping', '-c', '1', 'bb'), / 0% packet loss/);
    assert.equal(await host.proxied('exec', 'bb', 'hostname', '-i'), address);
    // Past the proxy, and over a restart of the container.
    await host.docker('rename', 'bb', 'cc');
    await until('cc is found', async () => (await found('cc')) === address);
    await host.proxied('restart', '-t', '0', 'cc');
    assert.equal(await found('cc'), address);
    assert.equal(await found('bb'), undefined);
    assert.equal(await host.proxied('exec', 'cc', 'hostname'), 'cc.weave.local');
    assert.doesNotMatch(await host.proxied('exec', 'cc', 'cat', '/etc/hosts'), /\b(aa|bb)\b/);
  });

  test('a rename while the daemon is down is seen when it is back', async () => {
    await asker();
    await host.proxied('run', '-d', '--name', 'aa', 'busybox', 'sleep', 'inf');
    const address = await addressOf('aa');
    await host.weavets('stop');
    await host.docker('rename', 'aa', 'bb');
    await host.launch();
    assert.equal(await found('bb'), address);
    assert.equal(await found('aa'), undefined);
  });

  test('Compose recreates: created under a temporary name, started, renamed', async () => {
    await asker();
    await host.proxied('run', '-d', '--name', 'web', 'busybox', 'sleep', 'inf');
    await host.proxied('create', '--name', '0123456789ab_web', 'busybox', 'sleep', 'inf');
    await host.proxied('rm', '-f', 'web');
    await host.proxied('rename', '0123456789ab_web', 'web');
    await host.proxied('start', 'web');
    // The engine's event may still be on its way that the former one is gone.
    await until('only the new one is found', async () => (await found('web')) === (await addressOf('web')));
    assert.equal(await found('0123456789ab_web'), undefined);
    assert.equal(await host.proxied('exec', 'web', 'hostname'), 'web.weave.local');
  });

  test('a container is found by its hostname and by its name, however each was given', async () => {
    await asker();
    const run = (...args: string[]) => host.proxied('run', '-d', ...args, 'busybox', 'sleep', 'inf');
    const long = 'n'.repeat(60);
    const id = await run();
    await run('--name', 'c1', '-h', 'short');
    await run('--name', 'c2', '-h', 'full.weave.local');
    await run('--name', 'c3', '-h', 'under_score', '--domainname', 'example.test');
    await run('--name', 'Upper.Case');
    await run('--name', 'web.v1');
    await run('--name', long);
    await run('--name', 'uts', '--uts', 'host');
    const found = (name: string) => lookUp(host, 'asker', name);
    for (const [container, names] of Object.entries({
      [id]: [id.slice(0, 12), await host.docker('inspect', '-f', '{{slice .Name 1}}', id)],
      c1: ['c1', 'short', 'short.weave.local'],
      c2: ['c2', 'full', 'FULL.weave.local'],
      c3: ['c3', 'under_score', 'under_score.weave.local'],
      'Upper.Case': ['upper.case', 'upper.case.weave.local'],
      'web.v1': ['web.v1', 'web.v1.weave.local'],
      [long]: [long, `${long}.weave.local`],
      uts: ['uts'],
    })) {
      const address = await addressOf(container);
      for (const name of names) assert.equal(await found(name), address, `${name} of ${container}`);
    }
    for (const name of ['web', 'v1', 'host1', 'case']) assert.equal(await found(name), undefined, name);
  });

  test('the client is warned of an impossible name and of one already taken', async () => {
    const warnings = async (...args: string[]) => {
      const { code, stderr } = await host.shell(
        `docker -H ${host.proxySocket} run -d ${args.join(' ')} busybox sleep inf`,
      );
      assert.equal(code, 0, stderr);
      return stderr;
    };
    assert.equal(await warnings('--name', 'fine'), '');
    assert.match(await warnings('--name', 'n'.repeat(60)), /longer than the 64 bytes of a hostname/);
    assert.match(await warnings('--name', 'n'.repeat(64)), /can't be a name in DNS/);
    assert.match(
      await warnings('--name', 'other', '-h', 'fine'),
      /container [0-9a-f]{12} has the name fine\.weave\.local too/,
    );
    const why = (await host.weavets('ps', '--why')).stdout.split('\n');
    const line = (name: string) => why.find((text) => text.includes(` ${name} `)) ?? '';
    assert.match(line('n'.repeat(64)), /attached .*can't be a name in DNS/);
    assert.match(line('other'), /has the name fine\.weave\.local too/);
    assert.match(line('fine'), /has the name fine\.weave\.local too/);
  });

  test("the host's search domains come after ours", async () => {
    const before = await host.runOk(['cat', '/etc/resolv.conf']);
    await host.shell(`echo 'search corp.test' >> /etc/resolv.conf`);
    await until('the daemon has read it', async () => {
      await host.proxied('rm', '-f', 'asker');
      await asker();
      return /corp\.test/.test(await host.proxied('exec', 'asker', 'cat', '/etc/resolv.conf'));
    });
    await host.weavets('dns-add', '10.32.0.99', '-h', 'intranet.corp.test');
    assert.equal(await found('intranet'), '10.32.0.99');
    await host.proxied('run', '-d', '--name', 'near', 'busybox', 'sleep', 'inf');
    assert.equal(await found('near'), await addressOf('near'));
    await host.weavets('dns-remove', '10.32.0.99', '-h', 'intranet.corp.test');
    await host.shell('cat > /etc/resolv.conf', { input: before });
  });
});

/** Address that a container's own resolver finds; undefined: none. */
async function lookUp(host: Host, container: string, name: string): Promise<string | undefined> {
  const { stdout } = await host.run([
    ...['docker', '-H', host.proxySocket, 'exec', container, 'ping', '-c', '1', '-W', '5', name],
  ]);
  return /^PING \S+ \(([\d.]+)\)/.exec(stdout)?.[1];
}
