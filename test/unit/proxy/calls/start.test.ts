import assert from 'node:assert/strict';
import test from 'node:test';
import { silent } from '../../../../src/lib/log.ts';
import { PendingStarts } from '../../../../src/proxy/calls/pending-starts.ts';
import {
  type ContainerFacts,
  type StartAttachments,
  startContainer,
} from '../../../../src/proxy/calls/start.ts';
import { type Engine, type FakeCall, fakeCall, provision, sent } from './fake-call.ts';

const id = 'ab'.repeat(32);
const shims = '/var/lib/weave/shim';
const ours: ContainerFacts = {
  id,
  hostname: 'bbox1.weave.local',
  env: [],
  labels: {},
  shim: { source: `${shims}/multicast`, target: '/w' },
};

interface Setting {
  target?: string;
  body?: string;
  engine?: Engine;
  /** what completing does; undefined: the container is not one of ours */
  complete?: (() => Promise<void>) | undefined;
  abandon?: () => Promise<void>;
  container?: Partial<ContainerFacts>;
  multicastRoute?: boolean;
  starts?: PendingStarts;
  failure?: { status: number; message: string };
}

/** Starts a container; `happened` records the calls in order. */
function start(setting: Setting) {
  const { target = '/v1.41/containers/bbox1/start', starts = new PendingStarts() } = setting;
  const happened: string[] = [];
  const complete = 'complete' in setting ? setting.complete : async () => {};
  const attachments: StartAttachments = {
    begin: async (asked) => {
      happened.push(`begin ${asked}`);
      if (!complete) return undefined;
      return {
        id,
        previous: 0,
        complete: () => {
          happened.push('complete');
          return complete();
        },
        abandon: async () => {
          happened.push('abandon');
          await setting.abandon?.();
        },
      };
    },
  };
  const engine: Engine = (body) => {
    happened.push('engine');
    return setting.engine?.(body) ?? { status: 204 };
  };
  const handler = startContainer(
    {
      defaultIpalloc: true,
      attachUserNetworks: false,
      multicastRoute: setting.multicastRoute ?? true,
    },
    starts,
    {
      attachments,
      containers: {
        kill: async (killed) => {
          happened.push(`kill ${killed}`);
          throw new Error('it does not run');
        },
        inspect: async () => ({ ...ours, ...setting.container }),
      },
      created: { get: async () => undefined, put: () => {}, isMadeOfId: async () => false },
      outcomes: { forget: () => {}, failure: async () => setting.failure },
      provision,
      logger: silent,
    },
  );
  const call = fakeCall('POST', target, setting.body, engine);
  return { call, happened, answer: handler(call) };
}

const attached = ['begin bbox1', 'engine', 'complete'];

test('the answer comes when the container is attached', async () => {
  for (const verb of ['start', 'restart']) {
    let release = () => {};
    const complete = () => new Promise<void>((resolve) => (release = resolve));
    const { answer, happened } = start({ target: `/containers/bbox1/${verb}`, complete });
    let answered = false;
    void answer.then(() => (answered = true));
    await new Promise(setImmediate);
    assert.deepEqual(happened, attached);
    assert.equal(answered, false);
    release();
    assert.equal((await answer).status, 204);
  }
});

test('a container that is already running is attached too', async () => {
  const { answer, happened } = start({ engine: () => ({ status: 304 }) });
  assert.equal((await answer).status, 304);
  assert.deepEqual(happened, attached);
});

test('a container that ran before is not killed when it can’t be attached', async () => {
  const complete = () => Promise.reject(new Error('no free address in 10.2.2.0/30'));
  const { answer, happened } = start({ engine: () => ({ status: 304 }), complete });
  assert.deepEqual(await answer, { status: 500, message: 'no free address in 10.2.2.0/30' });
  assert.deepEqual(happened, attached);
});

test('a container that is not ours just starts', async () => {
  const { call, answer, happened } = start({ complete: undefined });
  assert.equal((await answer).status, 204);
  assert.deepEqual(happened, ['begin bbox1', 'engine']);
  assert.deepEqual(call.forwarded, [undefined]);
});

test('a start that the engine refuses is undone', async () => {
  const refused = start({ engine: () => ({ status: 404, body: '{"message":"No such container: bbox1"}' }) });
  assert.equal((await refused.answer).status, 404);
  assert.deepEqual(refused.happened, ['begin bbox1', 'engine', 'abandon']);

  const lost = start({ engine: () => Promise.reject(new Error('connection lost')) });
  await assert.rejects(lost.answer, /connection lost/);
  assert.deepEqual(lost.happened, ['begin bbox1', 'engine', 'abandon']);

  const abandon = () => Promise.reject(new Error('store is gone'));
  assert.equal((await start({ engine: () => ({ status: 500 }), abandon }).answer).status, 500);
});

test('a container that can’t be attached is killed, and the reason given', async () => {
  const complete = () => Promise.reject(new Error('no free address in 10.2.2.0/30'));
  const { answer, happened } = start({ complete });
  assert.deepEqual(await answer, { status: 500, message: 'no free address in 10.2.2.0/30' });
  assert.deepEqual(happened, [...attached, `kill ${id}`]);
});

test('a pending start is tracked until it ends, well or badly', async () => {
  for (const complete of [async () => {}, () => Promise.reject(new Error('no'))]) {
    const starts = new PendingStarts();
    const { answer } = start({ starts, complete });
    await new Promise(setImmediate);
    const settled = starts.settled(id, 0);
    assert.equal(starts.settled('cd'.repeat(32), 0), undefined);
    await answer;
    await settled;
    assert.equal(starts.settled(id, 0), undefined);
  }
});

/** HostConfig of the body that the engine got. */
const hostConfig = (call: FakeCall) => {
  const root = JSON.parse(sent(call)) as { HostConfig?: object };
  return root.HostConfig ?? root;
};

test("an old client's HostConfig gets our additions again", async (t) => {
  const put = { Binds: [`${shims}/multicast:/w:ro`], Dns: ['172.17.0.1'], DnsSearch: ['.'] };
  const cases: [what: string, body: object, setting: Setting, expected: object][] = [
    ['as the body', { Privileged: false }, {}, { Privileged: false, ...put }],
    ['as a member', { HostConfig: { Privileged: false } }, {}, { Privileged: false, ...put }],
    ['as an empty member', { HostConfig: {} }, {}, put],
    [
      'in another case',
      { hostconfig: { binds: null } },
      {},
      { hostconfig: { binds: put.Binds, Dns: put.Dns, DnsSearch: put.DnsSearch } },
    ],
    [
      'with its own',
      { Binds: ['/a:/b', '/c:/w'], Dns: ['8.8.8.8'], DnsSearch: ['d'] },
      {},
      { Binds: ['/a:/b', ...put.Binds], Dns: ['172.17.0.1', '8.8.8.8'], DnsSearch: ['d'] },
    ],
    ['without multicast', { Dns: [] }, { multicastRoute: false }, { ...put, Binds: [`${shims}/wait:/w:ro`] }],
    [
      'without a hostname',
      { Dns: [] },
      { container: { hostname: id.slice(0, 12) } },
      { ...put, DnsSearch: ['weave.local.'] },
    ],
  ];
  for (const [what, body, setting, expected] of cases) {
    await t.test(what, async () => {
      const target = '/v1.23/containers/bbox1/start';
      const { call, answer, happened } = start({ target, body: JSON.stringify(body), ...setting });
      assert.equal((await answer).status, 204);
      assert.deepEqual(happened, attached);
      assert.deepEqual(hostConfig(call), expected);
    });
  }
});

test('on a network where it is not ours the shim does not wait', async () => {
  for (const NetworkMode of ['host', 'container:x', 'mine']) {
    const { call, answer, happened } = start({ body: JSON.stringify({ NetworkMode }) });
    assert.equal((await answer).status, 204);
    assert.deepEqual(happened, ['engine'], 'nothing is attached to the network of another');
    assert.deepEqual(hostConfig(call), { NetworkMode, Binds: [`${shims}/nowait:/w:ro`] });
  }
  const asking = start({ body: '{"NetworkMode":"mine"}', container: { env: ['WEAVE_CIDR='] } });
  await asking.answer;
  assert.deepEqual(asking.happened, attached);
});

test('a body that replaces nothing stays unchanged', async () => {
  const bodies = ['', 'null', '{}', ' { } ', '{"HostConfig":null}', '{"HostConfig":1}', '{"Binds":"x"}', '{'];
  for (const body of bodies) {
    const { call, answer, happened } = start({ body });
    assert.equal((await answer).status, 204);
    assert.deepEqual(call.forwarded, [undefined], body);
    assert.deepEqual(happened, attached);
  }
  // Nothing of ours was in it.
  for (const shim of [
    undefined,
    { source: '/tmp', target: '/w' },
    { source: `${shims}/other`, target: '/w' },
  ]) {
    const { call, answer } = start({ body: '{"Dns":[]}', container: { shim } });
    await answer;
    assert.deepEqual(call.forwarded, [undefined]);
  }
});

test('a command that can’t be run gives the engine’s error, for restart in its own words', async () => {
  const failure = { status: 400, message: 'exec: "nosuch": not found' };
  assert.deepEqual(await start({ failure }).answer, failure);
  assert.deepEqual(await start({ failure, target: '/v1.41/containers/bbox1/restart' }).answer, {
    status: 500,
    message: 'Cannot restart container bbox1: exec: "nosuch": not found',
  });
});
