import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstEngine, useHost } from '../support/use-host.ts';

const host = useHost({
  launch: ['--rewrite-inspect'],
  prepare: () =>
    host.shell(
      'docker export $(docker create busybox) | docker import -c \'ENTRYPOINT ["echo","ep"]\' -c \'CMD ["cmd"]\' - both',
    ),
});

/** Refused by later engines: clients of API 1.23, and bytes after a body. */
const onOldEngine = firstEngine.name === '20.10' ? test : () => {};

const sockets = { engine: '/var/run/docker.sock', proxy: '/var/run/weave/weave.sock' };

/** A call as bytes on a socket, which no current client would send. */
async function call(via: keyof typeof sockets, method: string, target: string, body?: string) {
  const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '--data-binary', '@-'];
  const out = await host.runOk(
    [
      'curl',
      '-s',
      '-w',
      '\n%{http_code}',
      '-X',
      method,
      '--unix-socket',
      sockets[via],
      ...data,
      `http://d${target}`,
    ],
    { input: body ?? '' },
  );
  const end = out.lastIndexOf('\n');
  return { status: Number(out.slice(end + 1)), text: out.slice(0, end) };
}

interface Details {
  Id: string;
  State: { Running: boolean };
  Config: { Hostname: string; Entrypoint: string[] | null; Cmd: string[] | null };
  HostConfig: {
    Binds: string[] | null;
    Dns: string[];
    DnsSearch: string[];
    ShmSize: number;
    NetworkMode: string;
  };
  NetworkSettings: { IPAddress: string; IPPrefixLen: number; MacAddress: string };
}

const details = async (name: string) => (JSON.parse(await host.docker('inspect', name)) as [Details])[0];

/** Creates through the proxy. @returns what the engine has made of it */
async function created(name: string, body: string, version = 'v1.41'): Promise<Details> {
  const { status, text } = await call('proxy', 'POST', `/${version}/containers/create?name=${name}`, body);
  assert.equal(status, 201, text);
  return details(name);
}

const shim = (mode: string) => `/var/lib/weave/shim/${mode}:/w:ro`;

test('what the engine refuses, it refuses in the same words', async () => {
  const bodies = [
    '',
    'null',
    '[]',
    '{}',
    '{',
    '{"Image":"busybox"',
    '\ufeff{"Image":"busybox"}',
    '{"Image":1}',
    '{"Image":"nope"}',
    '{"Image":"nope","Cmd":["x"]}',
    '{"Image":"NOPE","Cmd":["x"]}',
    '{"Image":"a:b:c","Cmd":["x"]}',
    '{"Image":""}',
    '{"Image":"busybox","Entrypoint":[""]}',
    '{"Image":"busybox","Entrypoint":""}',
    '{"Image":"both","Entrypoint":[""]}',
    '{"Image":"busybox","Cmd":[1]}',
    '{"Image":"busybox","Env":"A=1"}',
    '{"Image":"busybox","HostConfig":[]}',
    '{"Image":"busybox","HostConfig":{"Binds":["relative:relative"]}}',
  ];
  for (const body of bodies) {
    const target = '/v1.41/containers/create';
    const direct = await call('engine', 'POST', target, body);
    assert.notEqual(direct.status, 201, body);
    assert.deepEqual(await call('proxy', 'POST', target, body), direct, body);
  }
  const foreign = '/v1.41/containers/create?platform=linux/arm64';
  const direct = await call('engine', 'POST', foreign, '{"Image":"busybox"}');
  assert.equal(direct.status, 404);
  assert.deepEqual(await call('proxy', 'POST', foreign, '{"Image":"busybox"}'), direct);
});

test('numbers beyond 2^53 reach the engine', async () => {
  await created('big', '{"Image":"busybox","HostConfig":{"ShmSize":9007199254740993}}');
  assert.equal(await host.docker('inspect', '-f', '{{.HostConfig.ShmSize}}', 'big'), '9007199254740993');
});

test('the same command runs as without weavets', async () => {
  const cases = [
    ['both'],
    ['both', 'other'],
    ['--entrypoint', 'echo', 'both'],
    ['--entrypoint', 'echo', 'both', 'other'],
    ['--entrypoint', '', 'both', 'echo', 'other'],
    ['busybox', 'echo', 'a  b', '', 'é'],
    ['-e', 'A=1', 'busybox', 'sh', '-c', 'echo $A; exit 3'],
  ];
  for (const args of cases) {
    const run = (socket: string) => host.run(['docker', '-H', `unix://${socket}`, 'run', '--rm', ...args]);
    assert.deepEqual(await run(sockets.proxy), await run(sockets.engine), args.join(' '));
  }
  const [Entrypoint, Cmd] = ['"Entrypoint":[]', '"Cmd":"ls"'];
  const bare = await created('bare', `{"Image":"both",${Entrypoint}}`);
  assert.deepEqual([bare.Config.Entrypoint, bare.Config.Cmd], [['/w/w'], ['cmd']]);
  const text = await created('text', `{"Image":"both",${Cmd}}`);
  assert.deepEqual([text.Config.Entrypoint, text.Config.Cmd], [['/w/w', 'echo', 'ep'], ['ls']]);
});

test("odd spellings the engine accepts don't get past us", async () => {
  const odd = await created(
    'odd',
    '{"image":"busybox","HO\u017fTCONFIG":{"BINDS":["/tmp:/w"],"dns":["9.9.9.9"]},"hostconfig":{"mounts":[{"type":"tmpfs","TARGET":"/m//"}],"tmpfs":{"/t":""}},"Cmd":["true"],"CMD":["ls"],"entrypoint":["echo"],"ENTRYPOINT":null}',
  );
  assert.deepEqual(odd.HostConfig.Binds, ['/tmp:/w', shim('multicast').replace(':/w:', ':/.weavets:')]);
  assert.deepEqual(odd.HostConfig.Dns, ['172.17.0.1', '9.9.9.9']);
  assert.deepEqual([odd.Config.Entrypoint, odd.Config.Cmd], [['/.weavets/w'], ['ls']]);
  assert.equal((await call('proxy', 'POST', '/containers/odd/start')).status, 204);
  const shared = await created(
    'shared',
    '{"Image":"busybox","HostConfig":{"NetworkMode":"host"},"HOSTCONFIG":{"Dns":[]},"hostconfig":{"networkmode":null}}',
  );
  assert.equal(shared.HostConfig.NetworkMode, 'host');
  assert.equal(shared.HostConfig.Binds, null);
});

onOldEngine('what follows the body is no matter where it is none to the engine', async () => {
  const trailing = await created('trailing', '{"Image":"busybox"} more');
  assert.deepEqual(trailing.HostConfig.Binds, [shim('multicast')]);
});

test('an image made from an attached container has the shim once', async () => {
  await host.proxied('run', '-d', '--name', 'origin', 'busybox', 'sleep', '1000');
  await host.docker('commit', 'origin', 'committed');
  const text = await host.proxied(
    'run',
    '--rm',
    '--name',
    'copy',
    'committed',
    'sh',
    '-c',
    'hostname; ip -o -4 a',
  );
  assert.match(text, /^copy\.weave\.local\n/);
  assert.match(text, /ethwe {4}inet 10\.32\./);
  await created('copied', '{"Image":"committed"}');
  const { Config } = await details('copied');
  assert.deepEqual([Config.Entrypoint, Config.Cmd], [['/w/w'], ['sleep', '1000']]);
});

onOldEngine('a start of old clients replaces the HostConfig, not our part of it', async () => {
  for (const [name, body] of [
    ['old1', '{"Dns":["9.9.9.9"]}'],
    ['old2', '{"HostConfig":{"Dns":["9.9.9.9"]}}'],
  ] as const) {
    await created(name, '{"Image":"busybox","Cmd":["sleep","1000"]}', 'v1.23');
    assert.equal((await call('proxy', 'POST', `/v1.23/containers/${name}/start`, body)).status, 204);
    const { HostConfig } = await details(name);
    assert.deepEqual(HostConfig.Binds, [shim('multicast')]);
    assert.deepEqual(HostConfig.Dns, ['172.17.0.1', '9.9.9.9']);
    assert.deepEqual(HostConfig.DnsSearch, ['.']);
    assert.match(await host.docker('exec', name, 'ip', '-4', 'addr', 'show', 'ethwe'), /10\.32\./);
  }
});

onOldEngine('a start into the host’s network leaves that alone', async () => {
  await created('hosted', '{"Image":"busybox","Cmd":["sleep","1000"]}', 'v1.23');
  const start = '/v1.23/containers/hosted/start';
  assert.equal((await call('proxy', 'POST', start, '{"NetworkMode":"host"}')).status, 204);
  const { HostConfig, State } = await details('hosted');
  assert.deepEqual([State.Running, HostConfig.NetworkMode], [true, 'host']);
  assert.deepEqual(HostConfig.Binds, [shim('nowait')]);
  // It runs the command at once, rather than waiting for a network that never comes.
  assert.match((await host.shell('ps -eo args')).stdout, /^sleep 1000$/m);
  assert.equal((await host.run(['ip', 'link', 'show', 'ethwe'])).code, 1);
});

test('a start that the engine refuses is refused in its words', async () => {
  for (const [target, body] of [
    ['/v1.41/containers/nope/start', undefined],
    ['/v1.41/containers/origin/start', '{"Dns":["9.9.9.9"]}'],
    ['/v1.41/containers/nope/restart', undefined],
  ] as const) {
    assert.deepEqual(await call('proxy', 'POST', target, body), await call('engine', 'POST', target, body));
  }
});

test('exec runs the command as it is', async () => {
  await host.docker('run', '-d', '--name', 'foreign', 'busybox', 'sleep', '1000');
  await host.proxied('run', '-d', '--name', 'on-host', '--net', 'host', 'busybox', 'sleep', '1000');
  for (const [name, argv] of [
    ['origin', ['ip', 'a']],
    ['foreign', ['ip', 'a']],
    ['on-host', ['ip', 'a']],
  ] as const) {
    const { text } = await call('proxy', 'POST', `/v1.41/containers/${name}/exec`, '{"Cmd":["ip","a"]}');
    const { Id } = JSON.parse(text) as { Id: string };
    const { ProcessConfig } = JSON.parse((await call('engine', 'GET', `/exec/${Id}/json`)).text) as {
      ProcessConfig: { entrypoint: string; arguments: string[] };
    };
    assert.deepEqual([ProcessConfig.entrypoint, ...ProcessConfig.arguments], argv, name);
  }
  const target = '/v1.41/containers/origin/exec';
  for (const body of ['{}', '{"Cmd":[]}', '{"Cmd":"ls"}', '{'])
    assert.deepEqual(await call('proxy', 'POST', target, body), await call('engine', 'POST', target, body));
});

test("inspect shows the network, hides our additions, and is otherwise the engine's own answer", async () => {
  const direct = (await call('engine', 'GET', '/v1.41/containers/origin/json')).text;
  const proxied = (await call('proxy', 'GET', '/v1.41/containers/origin/json')).text;
  const { IPAddress, IPPrefixLen, MacAddress } = (JSON.parse(proxied) as Details).NetworkSettings;
  const shown = await host.docker('exec', 'origin', 'ip', 'addr', 'show', 'ethwe');
  assert.ok(shown.includes(`link/ether ${MacAddress}`), MacAddress);
  assert.ok(shown.includes(`inet ${IPAddress}/${IPPrefixLen} `), IPAddress);
  const expected = JSON.parse(direct) as Details;
  Object.assign(expected.NetworkSettings, { IPAddress, IPPrefixLen, MacAddress });
  Object.assign(expected.Config, { Entrypoint: null, Hostname: expected.Id.slice(0, 12) });
  Object.assign(expected.HostConfig, { Binds: null, Dns: [], DnsSearch: [] });
  Object.assign(expected, { Path: 'sleep', Args: ['1000'], Mounts: [] });
  assert.deepEqual(JSON.parse(proxied), expected);
  for (const name of ['foreign', 'nope']) {
    const target = `/v1.41/containers/${name}/json`;
    assert.deepEqual(await call('proxy', 'GET', target), await call('engine', 'GET', target), name);
  }
});

test('inspect during a start waits for it', async () => {
  await created('slow', '{"Image":"busybox","Cmd":["sleep","1000"]}');
  const started = call('proxy', 'POST', '/containers/slow/start');
  const seen: Details[] = [];
  // From before the engine begins until after it has ended.
  for (let running = false; !running; running = seen.at(-1)?.State.Running ?? false) {
    seen.push(JSON.parse((await call('proxy', 'GET', '/containers/slow/json')).text) as Details);
  }
  assert.equal((await started).status, 204);
  assert.match(seen.at(-1)?.NetworkSettings.IPAddress ?? '', /^10\.32\./);
});
