import assert from 'node:assert/strict';
import test from 'node:test';
import type { Created } from '../../../../src/model/created.ts';
import { inspectContainer, type Network } from '../../../../src/proxy/calls/inspect.ts';
import { PendingStarts } from '../../../../src/proxy/calls/pending-starts.ts';
import { fakeCall, provision, textOf } from './fake-call.ts';

const id = 'ab'.repeat(32);
const network: Network = { ip: '10.32.0.1', prefix: 12, mac: '0e:00:00:00:00:01' };

interface Setting {
  rewriteInspect?: boolean;
  network?: Network | undefined;
  target?: string;
  status?: number;
  starts?: PendingStarts;
  created?: Created;
  settled?: () => Promise<void>;
}

function inspect(says: string | (() => string), setting: Setting = {}) {
  const handler = inspectContainer(
    { rewriteInspect: setting.rewriteInspect ?? true },
    {
      starts: setting.starts ?? new PendingStarts(),
      inspected: {
        settled: setting.settled ?? (async () => {}),
        network: (asked) => (asked !== id ? undefined : 'network' in setting ? setting.network : network),
      },
      created: { get: async () => setting.created, put: () => {}, isMadeOfId: async () => false },
      provision,
    },
  );
  const call = fakeCall('GET', setting.target ?? '/containers/bbox1/json', '', () => ({
    status: setting.status ?? 200,
    body: typeof says === 'string' ? says : says(),
  }));
  return { call, answer: handler(call) };
}

const flat = (settings: string) =>
  `{"Id":"${id}","Size":9223372036854775807, "NetworkSettings":{${settings}},"Z":1.0}\n`;

test('the addresses of the network take the place of the engine’s', async () => {
  const { answer } = inspect(
    flat(
      '"Bridge":"","IPAddress":"172.17.0.2", "IPPrefixLen":16,"MacAddress":"02:42:ac:11:00:02","Networks":{"bridge":{}}',
    ),
  );
  assert.equal(
    await textOf(await answer),
    flat(
      '"Bridge":"","IPAddress":"10.32.0.1", "IPPrefixLen":12,"MacAddress":"0e:00:00:00:00:01","Networks":{"bridge":{}}',
    ),
  );
});

test("the answer's length is that of the new body", async () => {
  const answer = await inspect(flat('"IPAddress":""')).answer;
  assert.ok('headers' in answer);
  const lengths = answer.headers.filter(([name]) => name.toLowerCase() === 'content-length');
  assert.deepEqual(lengths, [['Content-Length', String((await answer.buffer()).length)]]);
});

test('an engine without those fields shows one more network', async () => {
  const weave = '"weave":{"IPAddress":"10.32.0.1","IPPrefixLen":12,"MacAddress":"0e:00:00:00:00:01"}';
  const told = async (settings: string) => textOf(await inspect(flat(settings)).answer);
  assert.equal(
    await told('"Networks":{"bridge":{"X":1.0}}'),
    flat(`"Networks":{"bridge":{"X":1.0},${weave}}`),
  );
  assert.equal(await told('"Networks":null'), flat(`"Networks":{${weave}}`));
  assert.equal(await told('"Ports":{}'), flat(`"Ports":{},"Networks":{${weave}}`));
});

test('an exec shows its container, where the engine does', async () => {
  const target = '/exec/123/json';
  const nested = (ip: string, more = '') =>
    `{"ID":"123","ContainerID":"${id}","Container":{"NetworkSettings":{"IPAddress":"${ip}"${more}}}}`;
  assert.equal(
    await textOf(await inspect(nested('172.17.0.2'), { target }).answer),
    nested('10.32.0.1', ',"IPPrefixLen":12,"MacAddress":"0e:00:00:00:00:01"'),
  );
  const plain = `{"ID":"123","ContainerID":"${id}","Running":true}`;
  assert.equal(await textOf(await inspect(plain, { target }).answer), plain);
});

test('all other answers stay unchanged', async () => {
  const text = flat('"IPAddress":"172.17.0.2"');
  const same = async (setting: Setting, body = text) =>
    assert.equal(await textOf(await inspect(body, setting).answer), body);
  await same({ rewriteInspect: false });
  await same({ network: undefined });
  await same({}, text.replace(id, 'cd'.repeat(32)));
  await same({}, `{"Id":"${id}"}`);
  await same({}, 'no JSON');
  await same({ status: 404 }, '{"message":"No such container: bbox1"}');
  await same({ status: 500 });
});

test('a starting container is shown as it is afterwards', async () => {
  for (const rewriteInspect of [true, false]) {
    const starts = new PendingStarts();
    let release = () => {};
    const start = starts.track(id, 0, () => new Promise<void>((resolve) => (release = resolve)));
    let running = false;
    const says = () => `{"Id":"${id}","Running":${running}}`;
    const { answer } = inspect(says, { starts, rewriteInspect });
    let answered = false;
    void answer.then(() => (answered = true));
    await new Promise(setImmediate);
    assert.equal(answered, false);
    running = true;
    release();
    await start;
    assert.equal(await textOf(await answer), `{"Id":"${id}","Running":true}`);
  }
});

test('while a restart stops a container, it is shown as it is; then as it is afterwards', async () => {
  const starts = new PendingStarts();
  let release = () => {};
  const start = starts.track(id, 41, () => new Promise<void>((resolve) => (release = resolve)));
  const says = (pid: number) => () => `{"Id":"${id}","State":{"Pid":${pid}}}`;
  assert.equal((await inspect(says(41), { starts }).answer).status, 200);
  // An exec of the run before.
  const exec = `{"ID":"ef","ContainerID":"${id}","Pid":7}`;
  assert.equal(await textOf(await inspect(() => exec, { starts }).answer), exec);
  for (const pid of [0, 42]) {
    let answered = false;
    void inspect(says(pid), { starts }).answer.then(() => (answered = true));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    assert.equal(answered, false);
  }
  release();
  await start;
});

test('the start of another container is not waited for', async () => {
  const starts = new PendingStarts();
  void starts.track('cd'.repeat(32), 0, () => new Promise(() => {}));
  assert.equal((await inspect(flat(''), { starts }).answer).status, 200);
});

/** A container as the engine has it. */
const shimmed = (change: object = {}) => {
  const { Config, HostConfig, ...rest } = {
    Config: {},
    HostConfig: {},
    ...change,
  };
  return JSON.stringify({
    Id: id,
    Name: '/bbox1',
    Path: '/w/w',
    Args: ['/ep', 'c'],
    Mounts: [
      { Type: 'bind', Source: '/var/lib/weave/shim/wait', Destination: '/w' },
      { Type: 'bind', Source: '/a', Destination: '/a' },
    ],
    ...rest,
    HostConfig: {
      Binds: ['/a:/a', '/var/lib/weave/shim/wait:/w:ro'],
      Dns: ['172.17.0.1', '8.8.8.8'],
      DnsSearch: ['.'],
      ...HostConfig,
    },
    Config: {
      Hostname: 'bbox1.weave.local',
      Domainname: '',
      Cmd: ['c'],
      Entrypoint: ['/w/w', '/ep'],
      ...Config,
    },
  });
};

const shown = async (says: string, setting: Setting = {}) =>
  JSON.parse(await textOf(await inspect(says, { rewriteInspect: false, ...setting }).answer)) as {
    Config: object;
    HostConfig: object;
    NetworkSettings?: object;
  };

const own = {
  Id: id,
  Name: '/bbox1',
  Path: '/ep',
  Args: ['c'],
  Mounts: [{ Type: 'bind', Source: '/a', Destination: '/a' }],
  HostConfig: { Binds: ['/a:/a'], Dns: ['8.8.8.8'], DnsSearch: [] },
  Config: { Hostname: id.slice(0, 12), Domainname: '', Cmd: ['c'], Entrypoint: ['/ep'] },
};

test('a hostname that we made is not among the names in its networks', async () => {
  const networks = (...names: string[]) => ({
    Own: { DNSNames: names, Aliases: ['bbox1.weave.local'] },
    own: { Aliases: names },
    none: null,
  });
  const seen = async (Hostname: string, ...names: string[]) => {
    const says = shimmed({ NetworkSettings: { Networks: networks(...names) }, Config: { Hostname } });
    return (await shown(says)).NetworkSettings;
  };
  const expected = { Networks: networks('bbox1', 'short') };
  assert.deepEqual(await seen('bbox1.weave.local', 'bbox1', 'bbox1.weave.local', 'short'), expected);
  // Its name, on a user-defined network.
  assert.deepEqual(await seen('bbox1', 'bbox1', 'short'), expected);
});

test('a container is shown as requested, from its record', async () => {
  const created: Created = {
    entrypoint: null,
    cmd: ['x', 'y'],
    hostname: 'h',
    domainname: 'd',
    dns: null,
    dnsSearch: [],
    binds: [],
  };
  assert.deepEqual(await shown(shimmed(), { created }), {
    ...own,
    Path: 'x',
    Args: ['y'],
    HostConfig: { Binds: [], Dns: null, DnsSearch: [] },
    Config: { Hostname: 'h', Domainname: 'd', Cmd: ['x', 'y'], Entrypoint: null },
  });
});

test('without a record, our additions are recognised by their form', async () => {
  assert.deepEqual(await shown(shimmed()), own);
  const given = shimmed({
    Config: { Hostname: 'h', Entrypoint: ['/w/w'] },
    HostConfig: { Binds: ['/var/lib/weave/shim/wait:/w:ro'], Dns: ['172.17.0.1'], DnsSearch: ['corp.test'] },
  });
  assert.deepEqual(await shown(given), {
    ...own,
    Path: 'c',
    Args: [],
    HostConfig: { Binds: null, Dns: [], DnsSearch: ['corp.test'] },
    Config: { ...own.Config, Hostname: 'h', Entrypoint: null },
  });
});

test('a container without the shim is shown as it is', async () => {
  for (const change of [{ Config: { Entrypoint: ['/ep'] } }, { Mounts: [] }]) {
    const text = shimmed(change);
    assert.equal(await textOf(await inspect(text, { rewriteInspect: false }).answer), text);
  }
});

test('a failed start shows a container that has not run, as long as it was the last', async () => {
  const failure = { message: 'exec: "nosuch": not found', exitCode: 127, finishedAt: '2026-01-01T00:00:01Z' };
  const created: Created = {
    entrypoint: null,
    cmd: ['nosuch'],
    hostname: '',
    domainname: '',
    dns: null,
    dnsSearch: null,
    binds: null,
    failure,
  };
  const State = {
    Status: 'exited',
    Running: false,
    ExitCode: 143,
    Error: '',
    StartedAt: '2026-01-01T00:00:00Z',
    FinishedAt: failure.finishedAt,
  };
  const never = '0001-01-01T00:00:00Z';
  const seen = async (state: object) =>
    (await shown(shimmed({ State: state }), { created })) as unknown as { State: object };
  assert.deepEqual((await seen(State)).State, {
    Status: 'created',
    Running: false,
    ExitCode: 127,
    Error: failure.message,
    StartedAt: never,
    FinishedAt: never,
  });
  const later = { ...State, FinishedAt: '2026-01-02T00:00:00Z' };
  assert.deepEqual((await seen(later)).State, later);
});
