import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({
  launch: [],
  prepare: async () => {
    for (const [name, project, service] of [
      ['shop-web-1', 'shop', 'web'],
      ['shop-web-2', 'shop', 'web'],
      ['shop-db-1', 'shop', 'db'],
      ['blog-web-1', 'blog', 'web'],
    ] as const) {
      const labels = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`];
      const ports = service === 'web' ? ['--expose', '9000', '-p', '80', '-p', '53/udp'] : [];
      await start(name, ...labels.flatMap((label) => ['--label', label]), ...ports);
    }
    const oneOff = ['--label', 'com.docker.compose.oneoff=True'];
    const inShop = [
      '--label',
      'com.docker.compose.project=shop',
      '--label',
      'com.docker.compose.service=web',
    ];
    await start('shop-run', ...inShop, ...oneOff);
    await start('plain');
  },
});
const start = (name: string, ...flags: string[]) =>
  host.proxied('run', '-d', '--name', name, ...flags, 'busybox', 'sleep', 'inf');

/** What a container finds, sorted. */
async function finds(asker: string, name: string): Promise<string[]> {
  const { stdout } = await host.run(['docker', 'exec', asker, 'nslookup', name]);
  const answers = stdout.slice(stdout.indexOf('Name:'));
  return [...answers.matchAll(/^Address(?: \d)?: +(10\.32\.[\d.]+)/gm)].map(([, ip = '']) => ip).sort();
}
const addressOf = async (name: string) => (await host.weavets('dns-lookup', name)).stdout.trim();
/** As the host asks: status, answers. */
async function dig(name: string, type: string): Promise<[status: string, answers: string[]]> {
  const server = (await host.weavets('docker-bridge-ip')).stdout.trim();
  const argv = ['dig', `@${server}`, '+time=30', '+tries=1', '+noall', '+comments', '+answer', name, type];
  const text = await host.runOk(argv);
  const answers = text.split('\n').filter((line) => /^[^;\s]/.test(line));
  return [
    /status: (\w+)/.exec(text)?.[1] ?? text,
    answers.map((line) => line.split(/\s+/).slice(4).join(' ')).sort(),
  ];
}

test("Compose's services have names: in full for all, short in their project", async () => {
  const [web1, web2, blog] = await Promise.all(['shop-web-1', 'shop-web-2', 'blog-web-1'].map(addressOf));
  assert.deepEqual(await finds('plain', 'web.shop.weave.local'), [web1, web2]);
  assert.deepEqual(await finds('shop-db-1', 'web'), [web1, web2]);
  assert.deepEqual(await finds('blog-web-1', 'web'), [blog]);
  assert.deepEqual(await finds('plain', 'web'), []);
  assert.deepEqual(await finds('shop-db-1', 'plain'), [await addressOf('plain')]);
  await host.docker('rm', '-f', 'shop-web-2');
  await until('its address is gone', async () => {
    return (await finds('plain', 'web.shop.weave.local')).join() === web1;
  });
});

test('names of hosts', async () => {
  assert.deepEqual(await finds('plain', 'plain.host1.host.weave.local'), [await addressOf('plain')]);
  assert.deepEqual(await finds('plain', 'host1.host.weave.local'), []);
  const exposed = (await host.weavets('expose')).stdout.trim();
  assert.deepEqual(await finds('plain', 'host1.host.weave.local'), [exposed]);
  await host.weavets('hide');
});

test('SRV tells of published ports', async () => {
  const targets = ['0 0 53 shop-web-1.weave.local.', '0 0 80 shop-web-1.weave.local.'];
  assert.deepEqual(await dig('web.shop.weave.local', 'SRV'), ['NOERROR', targets]);
  assert.deepEqual(await dig('_http._tcp.web.shop.weave.local', 'SRV'), ['NOERROR', targets.slice(1)]);
  assert.deepEqual(await dig('_53._udp.web.shop.weave.local', 'SRV'), ['NOERROR', targets.slice(0, 1)]);
  assert.deepEqual(await dig('_9000._tcp.web.shop.weave.local', 'SRV'), ['NXDOMAIN', []]);
});

test('a wildcard, which outlives the daemon', async () => {
  await host.weavets('dns-add', 'plain', '-h', '*.apps.weave.local');
  const plain = await addressOf('plain');
  assert.deepEqual(await finds('shop-db-1', 'any.apps.weave.local'), [plain]);
  await host.weavets('stop');
  await host.launch();
  assert.deepEqual(await finds('shop-db-1', 'other.apps.weave.local'), [plain]);
  await host.weavets('dns-remove', 'plain', '-h', '*.apps.weave.local');
  assert.deepEqual(await finds('shop-db-1', 'any.apps.weave.local'), []);
});

test('types that a name has not, and names that are not, are answered at once', async () => {
  for (const name of [
    'plain.weave.local',
    'web.shop.weave.local',
    'shop.weave.local',
    'weave.local',
    'host.weave.local',
  ])
    for (const type of ['AAAA', 'HTTPS', 'SVCB', 'MX', 'TXT', 'NAPTR', 'CAA', 'TYPE65280'])
      assert.deepEqual(await dig(name, type), ['NOERROR', []], `${name} ${type}`);
  assert.deepEqual(await dig('nobody.weave.local', 'HTTPS'), ['NXDOMAIN', []]);
});
