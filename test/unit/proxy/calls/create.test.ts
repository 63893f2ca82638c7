import assert from 'node:assert/strict';
import test from 'node:test';
import { silent } from '../../../../src/lib/log.ts';
import type { Created } from '../../../../src/model/created.ts';
import { type CreateOptions, createContainer } from '../../../../src/proxy/calls/create.ts';
import { type Engine, fakeCall, sent, textOf } from './fake-call.ts';

const options: CreateOptions = {
  defaultIpalloc: true,
  attachUserNetworks: false,
  multicastRoute: true,
  hostnameFromLabel: null,
  hostnameMatch: '(.*)',
  hostnameReplacement: '$1',
  dnsDomain: 'weave.local.',
};
const dnsAddress = '172.17.0.1';
const bind = '/var/lib/weave/shim/multicast:/w:ro';
const busybox = { Cmd: ['sh'], Env: ['PATH=/bin'] };

interface Setting {
  /** Config of the image; a list of them for one look after another; undefined: no such image */
  image?: object | null | (object | undefined)[];
  options?: Partial<CreateOptions>;
  dnsServers?: string[];
  target?: string;
  engine?: Engine;
  /** of the host */
  searchDomains?: string[];
  /** of the names */
  warnings?: string[];
  /** is given the hostnames that were made, by container */
  made?: Map<string, string>;
  /** that others' volumes come from, by name */
  containers?: Record<string, { mountPoints: string[] }>;
  /** platforms that image inspect refuses as no platforms */
  unread?: string[];
}

async function create(body: unknown, setting: Setting = {}) {
  const { image = busybox, target = '/v1.41/containers/create?name=bbox1', engine } = setting;
  const asked: [reference: string, platform: string | undefined][] = [];
  const kept: ({ id: string } & Created)[] = [];
  const expected: string[] = [];
  const looks = Array.isArray(image) ? [...image] : undefined;
  const handler = createContainer(
    { ...options, ...setting.options },
    {
      images: {
        imageInspect: async (reference, platform) => {
          asked.push([reference, platform]);
          if (platform && setting.unread?.includes(platform)) return { status: 400, body: '{}' };
          const config = looks ? looks.shift() : image;
          if (config === undefined) return { status: 404, body: '{"message":"no such image"}' };
          return { status: 200, body: JSON.stringify({ Id: 'sha256:1', Config: config }) };
        },
      },
      containers: { inspect: async (name) => setting.containers?.[name] },
      namings: {
        warnings: () => setting.warnings ?? [],
        keepMade: async (id, hostname) => void setting.made?.set(id, hostname),
      },
      upcoming: { expect: (id) => expected.push(id) },
      created: {
        get: async () => undefined,
        put: (id, record) => kept.push({ id, ...record }),
        isMadeOfId: async (hostname) => hostname === '0123456789ab',
      },
      provision: {
        stateDir: '/var/lib/weave',
        dnsDomain: 'weave.local.',
        dnsServers: () => setting.dnsServers ?? [dnsAddress],
        isOurDns: (server) => server === dnsAddress,
        searchDomains: () => setting.searchDomains ?? [],
      },
      logger: silent,
    },
  );
  const call = fakeCall('POST', target, typeof body === 'string' ? body : JSON.stringify(body), engine);
  const answer = await handler(call);
  return { call, answer, asked, kept, expected };
}

interface Sent {
  Hostname?: string;
  Domainname?: string;
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: object;
  HostConfig: { Binds?: string[]; Mounts?: object[]; Tmpfs?: object; Dns?: string[]; DnsSearch?: string[] };
}

/** What the engine is told to create. */
async function created(body: unknown, setting?: Setting): Promise<Sent> {
  return JSON.parse(sent((await create(body, setting)).call)) as Sent;
}

/** The engine got the client's own bytes, once. */
async function passes(body: unknown, setting?: Setting): Promise<void> {
  const { call } = await create(body, setting);
  assert.deepEqual(call.forwarded, [undefined]);
}

test('docker run --name bbox1 busybox', async () => {
  assert.deepEqual(await created({ Image: 'busybox' }), {
    Image: 'busybox',
    Entrypoint: ['/w/w'],
    Cmd: ['sh'],
    Hostname: 'bbox1.weave.local',
    HostConfig: { Binds: [bind], Dns: [dnsAddress], DnsSearch: ['.'] },
  });
});

test('everything else keeps its exact bytes', async () => {
  const body =
    '{ "Image":"busybox" ,"Cmd":["true"], "HostConfig": {"MemorySwap":9223372036854775807,"Dns":[ ],"é":1e3} , "X":1.0 }';
  assert.equal(
    sent((await create(body)).call),
    `{ "Image":"busybox" ,"Cmd":["true"], "HostConfig": {"MemorySwap":9223372036854775807,"Dns":["${dnsAddress}"],` +
      `"é":1e3,"Binds":["${bind}"],"DnsSearch":["."]}, "X":1.0 ,"Entrypoint":["/w/w"],"Hostname":"bbox1.weave.local"}`,
  );
});

test('entrypoint and command are what the engine would make of request and image', async (t) => {
  const both = { Entrypoint: ['/ep', 'x'], Cmd: ['c'] };
  const cases: [
    what: string,
    request: object,
    image: object | null,
    entrypoint: string[],
    cmd: string[] | undefined,
  ][] = [
    ['image has a command', {}, busybox, ['/w/w'], ['sh']],
    ['image has both', {}, both, ['/w/w', '/ep', 'x'], ['c']],
    ['image has an entrypoint', {}, { Entrypoint: ['/ep'] }, ['/w/w', '/ep'], undefined],
    ['the same with an empty command', { Cmd: [] }, { Entrypoint: ['/ep'] }, ['/w/w', '/ep'], []],
    ['empty lists are none', { Cmd: [] }, both, ['/w/w', '/ep', 'x'], ['c']],
    ['null is none', { Cmd: null, Entrypoint: null }, both, ['/w/w', '/ep', 'x'], ['c']],
    ['request has a command', { Cmd: ['ls'] }, both, ['/w/w', '/ep', 'x'], ['ls']],
    ['a command as a string', { Cmd: 'ls' }, both, ['/w/w', '/ep', 'x'], 'ls' as unknown as string[]],
    ['request has an entrypoint', { Entrypoint: ['/e'] }, both, ['/w/w', '/e'], undefined],
    ['an entrypoint as a string', { Entrypoint: '/e' }, both, ['/w/w', '/e'], undefined],
    ['request has both', { Entrypoint: ['/e'], Cmd: ['ls'] }, both, ['/w/w', '/e'], ['ls']],
    ['entrypoint [] does without the image’s', { Entrypoint: [] }, both, ['/w/w'], ['c']],
    ['entrypoint [""] does, too', { Entrypoint: [''], Cmd: ['ls'] }, both, ['/w/w'], ['ls']],
    ['entrypoint "" does, too', { Entrypoint: '', Cmd: ['ls'] }, both, ['/w/w'], ['ls']],
    ['an image’s [""] is none', {}, { Entrypoint: [''], Cmd: ['c'] }, ['/w/w'], ['c']],
    ['request has the shim', { Entrypoint: ['/w/w', 'x'] }, both, ['/w/w', 'x'], undefined],
    ['image has the shim', {}, { Entrypoint: ['/w/w'], Cmd: ['sh'] }, ['/w/w'], ['sh']],
    ['names in any case', { ENTRYPOINT: ['/e'], cmd: ['ls'] }, both, ['/w/w', '/e'], ['ls']],
  ];
  for (const [what, request, image, entrypoint, cmd] of cases) {
    await t.test(what, async () => {
      const fields = Object.entries(await created({ Image: 'i', ...request }, { image }));
      const field = (name: string) => fields.find(([key]) => key.toLowerCase() === name)?.[1] as unknown;
      assert.deepEqual(field('entrypoint'), entrypoint);
      assert.deepEqual(field('cmd'), cmd);
    });
  }
});

test('without a command the engine refuses by itself', async () => {
  await passes({ Image: 'i', Entrypoint: [''] });
  await passes({ Image: 'i', Entrypoint: '' }, { image: { Entrypoint: ['/ep'], Cmd: ['c'] } });
  await passes({ Image: 'i', Entrypoint: [] }, { image: { Entrypoint: ['/ep'] } });
  await passes({ Image: 'i' }, { image: {} });
  await passes({ Image: 'i' }, { image: null });
  await passes({});
});

test('a body that the engine refuses is passed unchanged', async () => {
  for (const body of ['', 'null', '[]', '{', '\ufeff{"Image":"i"}']) await passes(body);
  await passes({ Image: 1 });
  await passes({ Image: 'i', Cmd: [1] });
  await passes({ Image: 'i', Env: 'A=1' });
  await passes({ Image: 'i', HostConfig: [] });
  await passes({ Image: 'i', HostConfig: { Binds: {} } });
  await passes({ Image: 'i', HostConfig: { Mounts: ['/w'] } });
});

test('containers that are not attached are created as asked', async () => {
  const networks = ['host', 'container:abc', 'mine'];
  for (const NetworkMode of networks) await passes({ Image: 'i', HostConfig: { NetworkMode } });
  await passes('{"Image":"i","HostConfig":{"NetworkMode":"host"},"hostconfig":{"Binds":["/a:/b"]}}');
  await passes({ Image: 'i', Env: ['WEAVE_CIDR=none'] });
  await passes({ Image: 'i', Env: ['WEAVE_CIDR=10.2.1.1/24', 'WEAVE_CIDR=none'] });
  await passes({ Image: 'i', Labels: { 'weavets.cidr': 'none' } });
  await passes({ Image: 'i' }, { options: { defaultIpalloc: false } });
});

test('the image’s environment and labels count where the request has none', async () => {
  const none = { Cmd: ['sh'], Env: ['WEAVE_CIDR=none'] };
  await passes({ Image: 'i' }, { image: none });
  await passes({ Image: 'i', Env: [] }, { image: none });
  assert.ok(await created({ Image: 'i', Env: ['WEAVE_CIDR=10.2.1.1/24'] }, { image: none }));
  assert.ok(await created({ Image: 'i', Env: ['WEAVE_CIDR='] }, { image: none }));
  // A bare name takes the image's variable away.
  assert.ok(await created({ Image: 'i', Env: ['WEAVE_CIDR'] }, { image: none }));
  const label = { Cmd: ['sh'], Labels: { 'weavets.cidr': 'none' } };
  await passes({ Image: 'i' }, { image: label });
  assert.ok(await created({ Image: 'i', Labels: { 'weavets.cidr': '' } }, { image: label }));
});

test('a container that asks is attached on any network that allows it', async () => {
  const HostConfig = { NetworkMode: 'mine' };
  assert.ok(await created({ Image: 'i', Env: ['WEAVE_CIDR='], HostConfig }));
  assert.ok(await created({ Image: 'i', HostConfig }, { options: { attachUserNetworks: true } }));
  for (const NetworkMode of ['', 'default', 'bridge', 'none'])
    assert.ok(await created({ Image: 'i', HostConfig: { NetworkMode } }));
});

test('the shim keeps out of what comes with the volumes of others', async () => {
  const containers = { holder: { mountPoints: ['/w/data'] }, other: { mountPoints: ['/data'] } };
  const entrypoint = async (...VolumesFrom: string[]) =>
    (await created({ Image: 'i', HostConfig: { VolumesFrom } }, { containers })).Entrypoint;
  assert.deepEqual(await entrypoint('holder:ro'), ['/.weavets/w']);
  assert.deepEqual(await entrypoint('other', 'holder'), ['/.weavets/w']);
  for (const from of ['other', 'nosuch', '']) assert.deepEqual(await entrypoint(from), ['/w/w']);
});

test('a network that only the endpoints name is the container’s', async () => {
  const NetworkingConfig = { EndpointsConfig: { mine: {} } };
  for (const NetworkMode of ['', 'default', 'bridge'])
    await passes({ Image: 'i', NetworkingConfig, HostConfig: { NetworkMode } });
  await passes({ Image: 'i', NetworkingConfig });
  const asks = await created({ Image: 'i', NetworkingConfig, Env: ['WEAVE_CIDR='] });
  assert.deepEqual([asks.Hostname, asks.Domainname], ['bbox1', 'weave.local']);
  assert.ok(await created({ Image: 'i', NetworkingConfig, HostConfig: { NetworkMode: 'none' } }));
  const both = { EndpointsConfig: { mine: {}, bridge: {} } };
  assert.ok(await created({ Image: 'i', NetworkingConfig: both }));
  assert.ok(await created({ Image: 'i', NetworkingConfig: { EndpointsConfig: null } }));
});

test('an invalid WEAVE_CIDR is refused before anything is created', async () => {
  const { call, answer } = await create({ Image: 'i', Env: ['WEAVE_CIDR=10.2.1.1'] });
  assert.equal(answer.status, 400);
  assert.match('message' in answer ? answer.message : '', /10\.2\.1\.1/);
  assert.deepEqual(call.forwarded, []);
});

test('where the user has something at /w or below, it stays, and the shim goes elsewhere', async (t) => {
  const cases: [what: string, request: object, image?: object][] = [
    ['a bind', { HostConfig: { Binds: ['/a:/w'] } }],
    ['a bind below', { HostConfig: { Binds: ['/a:/w/sub:ro'] } }],
    ['a volume', { HostConfig: { Binds: ['v://w/.'] } }],
    ['an old form of volume', { Volumes: { '/w': {} } }],
    ['a mount', { HostConfig: { Mounts: [{ Type: 'bind', Source: '/a', target: '/x/../w' }] } }],
    ['a tmpfs', { HostConfig: { Tmpfs: { '/w/': '' } } }],
    ['a device', { HostConfig: { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/w/null' }] } }],
    ['the working directory', { WorkingDir: '/w/app' }],
    ['a program', { Cmd: ['/w/server'] }],
    ['the search path', { Env: ['PATH=/bin:/w/bin'] }],
    ['the image’s volume', {}, { Cmd: ['sh'], Volumes: { '/w': {} } }],
    ['the image’s working directory', {}, { Cmd: ['sh'], WorkingDir: '/w' }],
  ];
  for (const [what, request, image] of cases) {
    await t.test(what, async () => {
      const before = { Image: 'i', ...request } as Partial<Sent>;
      const { HostConfig, Entrypoint, ...config } = await created(before, image ? { image } : {});
      const { Binds = [], Dns: _dns, DnsSearch: _search, ...host } = HostConfig;
      const { HostConfig: { Binds: binds = [], ...own } = {}, ...rest } = before;
      assert.deepEqual(Binds, [...binds, '/var/lib/weave/shim/multicast:/.weavets:ro']);
      assert.deepEqual(host, own);
      assert.equal(Entrypoint?.[0], '/.weavets/w');
      assert.deepEqual({ ...config, ...rest }, config);
    });
  }
});

test("paths that only look like /w don't move the shim", async () => {
  const { HostConfig } = await created({
    Image: 'i',
    WorkingDir: '/wo',
    Volumes: { '/wo': {} },
    Cmd: ['ls', '/w'],
    HostConfig: { Binds: ['/w:/a', '/a:/x/w', 'w:/b'] },
  });
  assert.deepEqual(HostConfig.Binds, ['/w:/a', '/a:/x/w', 'w:/b', bind]);
});

test('a request copied from a container with the shim gets it once', async () => {
  const copied = {
    Entrypoint: ['/w/w'],
    Cmd: ['sh'],
    HostConfig: { Binds: ['/a:/a', bind], Dns: [dnsAddress] },
  };
  const { call, kept } = await create(
    { Image: 'i', ...copied },
    { engine: () => ({ status: 201, body: '{"Id":"1"}' }) },
  );
  const { Entrypoint, HostConfig } = JSON.parse(sent(call)) as Sent;
  assert.deepEqual([Entrypoint, HostConfig.Binds], [['/w/w'], ['/a:/a', bind]]);
  assert.deepEqual(
    kept.map(({ entrypoint, binds }) => [entrypoint, binds]),
    [[null, ['/a:/a']]],
  );
});

test('an image with a committed shim runs without it when not attached', async () => {
  const image = { Entrypoint: ['/w/w'], Cmd: ['sh'] };
  for (const NetworkMode of ['host', 'container:abc', 'mine']) {
    const { Entrypoint, Cmd } = await created({ Image: 'i', HostConfig: { NetworkMode } }, { image });
    assert.deepEqual([Entrypoint, Cmd], [[], ['sh']]);
  }
  const own = { Entrypoint: ['/w/w', '/ep'] };
  const { Entrypoint } = await created({ Image: 'i', Env: ['WEAVE_CIDR=none'], Cmd: ['x'] }, { image: own });
  assert.deepEqual(Entrypoint, ['/ep']);
});

test('the request is recorded under the id that the engine gives', async () => {
  const engine: Engine = () => ({ status: 201, body: '{"Id":"12ab","Warnings":[]}' });
  const image = { Entrypoint: ['/ep'], Cmd: ['c'] };
  const plain = await create({ Image: 'i' }, { image, engine });
  assert.equal(await textOf(plain.answer), '{"Id":"12ab","Warnings":[]}');
  const nothing = { hostname: '', domainname: '', dns: null, dnsSearch: null, binds: null };
  assert.deepEqual(plain.kept, [{ id: '12ab', entrypoint: ['/ep'], cmd: ['c'], ...nothing }]);
  assert.deepEqual(plain.expected, ['12ab']);
  const HostConfig = { Dns: ['8.8.8.8'], DnsSearch: [], Binds: ['/a:/a'] };
  const asked = { Image: 'i', Hostname: 'h', Domainname: 'd', Entrypoint: [''], Cmd: ['x'], HostConfig };
  assert.deepEqual((await create(asked, { image, engine })).kept, [
    {
      id: '12ab',
      entrypoint: null,
      cmd: ['x'],
      hostname: 'h',
      domainname: 'd',
      dns: ['8.8.8.8'],
      dnsSearch: [],
      binds: ['/a:/a'],
    },
  ]);
  const refused = await create({ Image: 'i' }, { engine: () => ({ status: 409 }) });
  assert.deepEqual([refused.kept, refused.expected], [[], []]);
  assert.deepEqual((await create({ Image: 'i', Env: ['WEAVE_CIDR=none'] }, { engine })).kept, []);
});

test('the shim waits for the multicast route only if there is one', async () => {
  const { HostConfig } = await created({ Image: 'i' }, { options: { multicastRoute: false } });
  assert.deepEqual(HostConfig.Binds, ['/var/lib/weave/shim/wait:/w:ro']);
});

test('hostname', async (t) => {
  const cases: [
    what: string,
    request: object,
    target: string,
    hostname: string | undefined,
    search: string,
  ][] = [
    ['from the name', {}, '?name=web', 'web.weave.local', '.'],
    ['from a name with a slash', {}, '?name=%2Fweb', 'web.weave.local', '.'],
    ['given', { Hostname: 'h' }, '?name=web', 'h', '.'],
    ['given with a domain', { Hostname: 'h', Domainname: 'd' }, '?name=web', 'h', '.'],
    ['empty', { Hostname: '' }, '?name=web', 'web.weave.local', '.'],
    ['in another case', { hostname: 'h' }, '?name=web', undefined, '.'],
    ['no name', {}, '', undefined, 'weave.local.'],
    ['too long', {}, `?name=${'n'.repeat(53)}`, undefined, 'weave.local.'],
  ];
  for (const [what, request, query, hostname, search] of cases) {
    await t.test(what, async () => {
      const target = `/containers/create${query}`;
      const { Hostname, HostConfig } = await created({ Image: 'i', ...request }, { target });
      assert.equal(Hostname, hostname);
      assert.deepEqual(HostConfig.DnsSearch, [search]);
    });
  }
});

test("the host's search domains follow ours, unless the user gave some", async () => {
  const searchDomains = ['corp.test', 'weave.local', 'lab.corp.test'];
  const search = async (HostConfig: object) =>
    (await created({ Image: 'i', HostConfig }, { searchDomains })).HostConfig.DnsSearch;
  assert.deepEqual(await search({}), ['weave.local.', 'corp.test', 'lab.corp.test']);
  assert.deepEqual(await search({ DnsSearch: ['example.com'] }), ['example.com']);
  assert.deepEqual(await search({ DnsSearch: ['.'] }), ['.']);
});

test('a hostname from which the C library would derive another domain gets ours to search', async () => {
  const target = '/containers/create?name=web.v1';
  const { Hostname, HostConfig } = await created({ Image: 'i' }, { target });
  assert.equal(Hostname, 'web.v1.weave.local');
  assert.deepEqual(HostConfig.DnsSearch, ['weave.local.']);
});

test('a derived hostname is remembered; one that was given is not', async () => {
  const made = new Map<string, string>();
  const engine = () => ({ status: 201, body: '{"Id":"c1","Warnings":null}' });
  await create({ Image: 'i' }, { made, engine });
  assert.deepEqual([...made], [['c1', 'bbox1.weave.local']]);
  await create({ Image: 'i', Hostname: 'h' }, { made, engine: () => ({ status: 201, body: '{"Id":"c2"}' }) });
  await create({ Image: 'i' }, { made, engine: () => ({ status: 409, body: '{"Id":"c3"}' }) });
  assert.equal(made.size, 1);
});

test("warnings about the name are added to the engine's", async () => {
  const warned = async (body: string, setting: Setting) => {
    const { answer } = await create({ Image: 'i' }, { engine: () => ({ status: 201, body }), ...setting });
    return (JSON.parse(await textOf(answer)) as { Warnings: string[] | null }).Warnings;
  };
  const engines = '{"Id":"c1","Warnings":["no swap limit"]}';
  assert.deepEqual(await warned(engines, {}), ['no swap limit']);
  assert.deepEqual(await warned(engines, { warnings: ['shared'] }), ['no swap limit', 'shared']);
  const none = '{"Id":"c1","Warnings":null}';
  assert.equal(await warned(none, {}), null);
  const target = `/containers/create?name=${'n'.repeat(60)}`;
  const [tooLong] = (await warned(none, { target })) ?? [];
  assert.match(tooLong ?? '', /^n+\.weave\.local\. is longer than the 64 bytes of a hostname.*--hostname$/);
});

test('with the host’s UTS namespace there is no hostname to set', async () => {
  const { Hostname, HostConfig } = await created({ Image: 'i', HostConfig: { UTSMode: 'host' } });
  assert.equal(Hostname, undefined);
  assert.deepEqual(HostConfig.DnsSearch, ['weave.local.']);
});

test('the domain is part of the hostname, and not repeated', async () => {
  const { Hostname, Domainname } = await created({ Image: 'i', Domainname: 'example.com' });
  assert.equal(Hostname, 'bbox1.weave.local');
  assert.equal(Domainname, '');
});

test('on a user-defined network only our DNS server has the full name', async () => {
  const { Hostname, Domainname } = await created({
    Image: 'i',
    Env: ['WEAVE_CIDR='],
    HostConfig: { NetworkMode: 'mine' },
  });
  assert.equal(Hostname, 'bbox1');
  assert.equal(Domainname, 'weave.local');
});

test('a hostname from a label, of the request or of the image', async () => {
  const fromLabel = { options: { hostnameFromLabel: 'host' } };
  const image = { Cmd: ['sh'], Labels: { host: 'of-image' } };
  assert.equal((await created({ Image: 'i' }, { ...fromLabel, image })).Hostname, 'of-image.weave.local');
  const Labels = { host: 'own' };
  assert.equal((await created({ Image: 'i', Labels }, { ...fromLabel, image })).Hostname, 'own.weave.local');
});

test('our DNS server comes first, the user’s search domains stay', async () => {
  const Dns = ['8.8.8.8', dnsAddress, '1.1.1.1'];
  const { HostConfig } = await created({ Image: 'i', HostConfig: { Dns, DnsSearch: ['example.com'] } });
  assert.deepEqual(HostConfig.Dns, [dnsAddress, '8.8.8.8', '1.1.1.1']);
  assert.deepEqual(HostConfig.DnsSearch, ['example.com']);
  const without = await created({ Image: 'i', HostConfig: { Dns: ['8.8.8.8'] } }, { dnsServers: [] });
  assert.deepEqual(without.HostConfig, { Dns: ['8.8.8.8'], Binds: [bind] });
});

test('the image for the given platform is used', async () => {
  const target = '/v1.41/containers/create?platform=linux%2Farm64&name=a';
  const { asked } = await create({ Image: 'r.example:5000/a/b:1' }, { target });
  assert.deepEqual(asked, [['r.example:5000/a/b:1', 'linux/arm64']]);
  assert.deepEqual((await create({ Image: 'i' }, { target: '/containers/create?platform=' })).asked, [
    ['i', undefined],
  ]);
});

test('a platform spelling that only create accepts does not hide the image', async () => {
  const target = '/containers/create?platform=x86_64';
  const { call, asked } = await create({ Image: 'i' }, { target, unread: ['x86_64'] });
  assert.deepEqual(asked, [
    ['i', 'x86_64'],
    ['i', undefined],
  ]);
  assert.deepEqual((JSON.parse(sent(call)) as Sent).Cmd, ['sh']);
});

test('a container without an image', async () => {
  const { call, asked } = await create({ Cmd: ['/x'], HostConfig: { Binds: ['/x:/x'] } });
  assert.deepEqual(asked, []);
  assert.deepEqual((JSON.parse(sent(call)) as Sent).Entrypoint, ['/w/w']);
});

/** An engine that checks the image before the command. */
const engineWithout =
  (missing: () => boolean): Engine =>
  (body) => {
    const { Entrypoint } = JSON.parse(body) as Sent;
    if (missing()) return { status: 404, body: '{"message":"No such image: i:latest"}' };
    if (Entrypoint?.[0] === '') return { status: 400, body: '{"message":"No command specified"}' };
    return { status: 201, body: '{"Id":"1"}' };
  };

test('a missing image is the engine’s own error', async () => {
  const { answer } = await create(
    { Image: 'i', Cmd: ['x'] },
    { image: [], engine: engineWithout(() => true) },
  );
  assert.equal(answer.status, 404);
  assert.equal(await textOf(answer), '{"message":"No such image: i:latest"}');
});

test('an image pulled meanwhile makes no container without the shim', async () => {
  // There for the engine, which is asked after our first look, or only for our second.
  for (const missing of [false, true]) {
    const engine = engineWithout(() => missing);
    const { call } = await create({ Image: 'i', Cmd: ['x'] }, { image: [undefined, busybox], engine });
    const [probe, last] = call.forwarded.map((body) => JSON.parse(String(body)) as Sent);
    assert.deepEqual([probe?.Entrypoint, probe?.Cmd], [[''], []]);
    assert.deepEqual([last?.Entrypoint, last?.Cmd], [['/w/w'], ['x']]);
    assert.deepEqual(last?.HostConfig.Binds, [bind]);
  }
});

test('a hostname copied from a container without one counts as none', async () => {
  assert.equal((await created({ Image: 'i', Hostname: '0123456789ab' })).Hostname, 'bbox1.weave.local');
  assert.equal((await created({ Image: 'i', Hostname: 'ab0123456789' })).Hostname, 'ab0123456789');
});
