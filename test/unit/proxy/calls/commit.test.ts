import assert from 'node:assert/strict';
import test from 'node:test';
import { commitContainer } from '../../../../src/proxy/calls/commit.ts';
import { fakeCall, sent } from './fake-call.ts';

const Config = { Hostname: 'c1', Entrypoint: ['/w/w', '/ep'], Cmd: ['c'], Env: ['A=1'] };
const mount = { Source: '/var/lib/weave/shim/multicast', Destination: '/w' };

async function commit(body: string, config: object = Config) {
  const container = { Id: 'ab'.repeat(32), Name: '/c1', Config: config, HostConfig: {}, Mounts: [mount] };
  const handler = commitContainer({
    containers: {
      inspectAnswer: async (name) =>
        name === 'c1' ? { status: 200, body: JSON.stringify(container) } : { status: 404, body: '{}' },
    },
    created: { get: async () => undefined, put: () => {}, isMadeOfId: async () => false },
    provision: {
      stateDir: '/var/lib/weave',
      dnsDomain: 'weave.local.',
      dnsServers: () => [],
      isOurDns: () => false,
      searchDomains: () => [],
    },
  });
  const call = fakeCall('POST', '/v1.41/commit?container=c1&repo=i', body);
  assert.equal((await handler(call)).status, 201);
  return call;
}

const config = async (body: string, of?: object) => JSON.parse(sent(await commit(body, of)));

test('without its own configuration, the image gets the container’s without the shim', async () => {
  for (const body of ['', 'null', ' null\n']) {
    assert.deepEqual(await config(body), { ...Config, Entrypoint: ['/ep'], Domainname: '' });
  }
  // An empty list, which the engine does not fill from the container.
  assert.deepEqual((await config('', { ...Config, Entrypoint: ['/w/w'] })).Entrypoint, []);
});

test('its own configuration is completed as the engine would from the container', async () => {
  assert.deepEqual(await config('{"User":"u"}'), { User: 'u', Cmd: ['c'], Entrypoint: ['/ep'] });
  assert.deepEqual(await config('{"Cmd":["x"]}'), { Cmd: ['x'], Entrypoint: ['/ep'] });
  assert.deepEqual((await commit('{"Entrypoint":["x"]}')).forwarded, [undefined]);
});

test('everything else goes to the engine unchanged', async () => {
  assert.deepEqual((await commit('{')).forwarded, [undefined]);
  assert.deepEqual((await commit('[]')).forwarded, [undefined]);
  assert.deepEqual((await commit('', { ...Config, Entrypoint: ['/ep'] })).forwarded, [undefined]);
});
