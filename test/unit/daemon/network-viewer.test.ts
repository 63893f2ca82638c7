import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkViewer, type NetworkViewerDeps } from '../../../src/daemon/network-viewer.ts';
import { NameTable } from '../../../src/dns/names.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import { WeaveError } from '../../../src/lib/errors.ts';
import { Cidr } from '../../../src/model/address.ts';
import type { PathHealth } from '../../../src/model/path-health.ts';
import type { EventView } from '../../../src/report/network.ts';
import { type Link, LinkKey } from '../../../src/store/records/link.ts';

const self = '0e:00:00:00:00:01';
const peer = { name: '0e:00:00:00:00:02', nickname: 'node2', address: '10.0.0.2' };
const ids = {
  attached: 'a'.repeat(64),
  alien: 'b'.repeat(64),
  stopped: 'c'.repeat(64),
  hung: 'd'.repeat(64),
  far: 'e'.repeat(64),
};
const info = (id: string, name: string, running = true) => ({ id, name, running }) as ContainerInfo;

const health: PathHealth = {
  peer: peer.name,
  nickname: peer.nickname,
  address: peer.address,
  small: { state: 'ok', since: 0, roundTripMs: 0.4, loss: 0.05 },
  full: { state: 'failing', since: 0, loss: 0.5 },
  mtu: 1450,
  underlay: 'up',
  sampled: false,
};

/** A host with a container of each kind, and another host. */
function make(change: Partial<NetworkViewerDeps> = {}): NetworkViewer {
  const names = new NameTable();
  const own = { origin: self, address: '10.32.0.1' };
  names.add({ ...own, hostname: 'web.weave.local.', containerId: ids.attached });
  names.add({ ...own, hostname: 'gate.weave.local.', containerId: 'weave:extern' });
  names.add({ hostname: 'web.weave.local.', address: '10.32.0.9', containerId: ids.far, origin: peer.name });
  const link = (container: string, value: unknown) => ({
    key: new LinkKey(peer.name, container),
    value: value as Link,
  });
  return new NetworkViewer({
    about: { version: '1', self, domain: 'weave.local', range: '10.32.0.0/12', encryption: false },
    self: { nickname: 'node1', address: '10.0.0.1' },
    engine: {
      list: async () => [
        { id: ids.alien, name: 'alien', running: true, shim: undefined },
        { id: ids.stopped, name: 'stopped', running: false, shim: undefined },
        { id: ids.hung, name: 'hung', running: true, shim: undefined },
      ],
      inspect: async (id) => {
        if (id === ids.hung) throw new WeaveError('ENGINE_TIMEOUT', 'the engine did not answer');
        if (id === ids.alien) return info(id, 'alien');
        return id === ids.stopped ? info(id, 'stopped', false) : undefined;
      },
    },
    reconciler: { reason: () => 'it shares the network of the host' },
    attachments: {
      get: (id) =>
        id === ids.attached
          ? { info: info(id, 'web'), mac: '5a:00:00:00:00:01', cidrs: [Cidr.parse('10.32.0.1/12')] }
          : undefined,
      list: () => [{ info: info(ids.attached, 'web') }],
    },
    naming: { warnings: () => ['the name web is also that of another'] },
    names,
    exposer: { list: () => [Cidr.parse('10.32.0.5/12')] },
    cluster: {
      allPeers: () => [peer],
      isAlive: () => true,
      links: () => [
        link(ids.far, {
          mac: '5a:00:00:00:00:09',
          ips: ['10.32.0.9'],
          names: [
            { hostname: 'web.shop.weave.local.', address: '10.32.0.9' },
            { hostname: 'far.weave.local.', address: '10.32.0.9' },
          ],
        }),
        link('f'.repeat(64), { mac: null, ips: [], names: [] }),
        link('weave:expose', {
          mac: '5a:00:00:00:00:0a',
          ips: ['10.32.0.6'],
          names: [{ hostname: 'node2.weave.local.', address: '10.32.0.6' }],
        }),
      ],
    },
    paths: () => [{ peer, state: 'established', carrier: 'vxlan', text: '', mtu: 1450, health }],
    conditions: { list: () => [], listHealed: () => [] },
    checkup: { last: () => ({ at: null, checks: [] }) },
    history: {
      of: (id) => (id === ids.stopped ? [{ level: 'error', text: 'not started: taken' } as EventView] : []),
    },
    ...change,
  });
}

test('each container is listed with its addresses and names, or why it has none', async () => {
  const told = (await make().containers()).map(({ name, state, addresses, names, reason }) =>
    [name, state, addresses.join(), names.map(({ name: each }) => each).join(), reason].join(' | '),
  );
  assert.deepEqual(told, [
    'alien | unattached |  |  | it shares the network of the host',
    'far | attached | 10.32.0.9 | web.shop.weave.local,far.weave.local | ',
    'hung | unattached |  |  | the engine did not answer',
    'stopped | stopped |  |  | not started: taken',
    'web | attached | 10.32.0.1/12 | web.weave.local | the name web is also that of another',
  ]);
});

test('while the engine is away attached containers are still listed', async () => {
  const away = async () => {
    throw new WeaveError('ENGINE_UNREACHABLE', 'cannot reach the engine');
  };
  const told = await make({ engine: { list: away, inspect: away } }).containers();
  assert.deepEqual(
    told.map(({ name }) => name),
    ['far', 'web'],
  );
});

test('hosts are listed with their own addresses and names, and the path there; this one first', () => {
  const [own, other, ...rest] = make().hosts();
  assert.deepEqual(rest, []);
  assert.deepEqual(own, {
    name: self,
    nickname: 'node1',
    address: '10.0.0.1',
    alive: true,
    addresses: ['10.32.0.5'],
    names: [{ name: 'gate.weave.local', address: '10.32.0.1' }],
    path: null,
  });
  assert.deepEqual(other, {
    ...peer,
    alive: true,
    addresses: ['10.32.0.6'],
    names: [{ name: 'node2.weave.local', address: '10.32.0.6' }],
    path: { state: 'established', carrier: 'vxlan', text: '', mtu: 1450, roundTripMs: 0.4, loss: 0.5 },
  });
  assert.equal(make({ cluster: undefined }).hosts().length, 1);
});
