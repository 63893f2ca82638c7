import assert from 'node:assert/strict';
import test from 'node:test';
import { HostNames } from '../../../src/dns/host-names.ts';
import { Lookup } from '../../../src/dns/lookup.ts';
import { NameTable } from '../../../src/dns/names.ts';
import { Cidr } from '../../../src/model/address.ts';
import { ask, data, question, record, serve } from './client.ts';

const domain = 'weave.local.';

function network() {
  const names = new NameTable();
  const hosts = new HostNames({ names, domain });
  hosts.follow({
    nicknames: () => [
      ['h1', 'host1'],
      ['h2', 'Host2.example.com'],
    ],
    addresses: (host) => (host === 'h1' ? ['10.32.9.1'] : []),
  });
  const lookup = new Lookup({ names, hosts, domain });
  const find = (name: string, project = '') => lookup.find(name, () => project).map(({ address }) => address);
  return { names, lookup, find };
}

test('a name of a host: what is called so there, and the host itself', () => {
  const { names, lookup, find } = network();
  names.add(record('web', '10.32.0.1', 'c1', 'h1'));
  names.add(record('web', '10.32.0.2', 'c2', 'h2'));
  names.add(record('web.v1', '10.32.0.3', 'c3', 'h2'));
  assert.deepEqual(find('web.host1.host.weave.local.'), ['10.32.0.1']);
  assert.deepEqual(find('web.host2.host.weave.local.'), ['10.32.0.2']);
  assert.deepEqual(find('web.host2.example.com.host.weave.local.'), ['10.32.0.2']);
  assert.deepEqual(find('web.v1.host2.host.weave.local.'), ['10.32.0.3']);
  assert.deepEqual(find('web.host3.host.weave.local.'), []);
  assert.deepEqual(find('host1.host.weave.local.'), ['10.32.9.1']);
  assert.deepEqual(find('host2.host.weave.local.'), []);
  assert.ok(lookup.isInner('host.weave.local.'));
});

test('a service of the own project comes before a container of that name, and is nobody else’s', () => {
  const { names, find } = network();
  names.add(record('web', '10.32.0.1', 'c1'));
  names.add(record('web.shop', '10.32.0.2', 'c2'));
  names.add(record('web.shop', '10.32.0.3', 'c3'));
  names.add(record('db.shop', '10.32.0.4', 'c4'));
  assert.deepEqual(find('web.', 'shop'), ['10.32.0.2', '10.32.0.3']);
  assert.deepEqual(find('web.', 'other'), ['10.32.0.1']);
  assert.deepEqual(find('web.'), ['10.32.0.1']);
  // In full it is the container's, as everywhere; where there is none, the service's.
  assert.deepEqual(find('web.weave.local.', 'shop'), ['10.32.0.1']);
  assert.deepEqual(find('db.weave.local.', 'shop'), ['10.32.0.4']);
  assert.deepEqual(find('db.weave.local.'), []);
  assert.deepEqual(find('web.shop.weave.local.'), ['10.32.0.2', '10.32.0.3']);
});

test('a wildcard is for names below it that are no others', () => {
  const { names, lookup, find } = network();
  names.add(record('*.apps', '10.32.0.1', 'c1'));
  names.add(record('own.apps', '10.32.0.2', 'c2'));
  names.add(record('a.inner.apps', '10.32.0.3', 'c3'));
  assert.deepEqual(find('x.apps.weave.local.'), ['10.32.0.1']);
  assert.deepEqual(find('x.y.apps.weave.local.'), ['10.32.0.1']);
  assert.deepEqual(find('own.apps.weave.local.'), ['10.32.0.2']);
  assert.deepEqual(find('apps.weave.local.'), []);
  // RFC 4592: what lies between is a name, and its names are its own.
  assert.deepEqual(find('b.own.apps.weave.local.'), []);
  assert.deepEqual(find('inner.apps.weave.local.'), []);
  assert.deepEqual(find('b.inner.apps.weave.local.'), []);
  assert.ok(lookup.isInner('inner.apps.weave.local.'));
  names.remove({ containerId: 'c3' });
  assert.ok(!lookup.isInner('inner.apps.weave.local.'));
  assert.deepEqual(find('b.inner.apps.weave.local.'), ['10.32.0.1']);
  names.remove({ containerId: 'c1' });
  assert.deepEqual(find('x.apps.weave.local.'), []);
});

test('what is in reach comes first, and of that what is on this host', async () => {
  const subnets = [Cidr.parse('10.32.0.0/12')];
  await using running = await serve({ askers: { of: () => ({ subnets, servers: [], project: '' }) } });
  running.names.add(record('web', '10.77.0.1', 'c1', 'here'));
  running.names.add(record('web', '10.32.0.1', 'c2', 'there'));
  running.names.add(record('web', '10.32.0.2', 'c3', 'here'));
  running.names.add(record('web', '10.77.0.2', 'c4', 'there'));
  for (let i = 0; i < 20; i++) {
    const { answers } = await ask(running.at, question('web.weave.local'));
    const order = answers.map((answer) => 'data' in answer && answer.data);
    assert.deepEqual(order, ['10.32.0.2', '10.32.0.1', '10.77.0.1', '10.77.0.2']);
  }
});

test('SRV: a record for each published port of each replica, by its own name', async () => {
  await using running = await serve();
  running.names.add(record('shop-web-1', '10.32.0.1', 'c1'));
  running.names.add(record('web.shop', '10.32.0.1', 'c1'));
  running.names.add(record('shop-web-2', '10.32.0.2', 'c2', 'there'));
  running.names.add(record('web.shop', '10.32.0.2', 'c2', 'there'));
  running.names.setPorts('c1', ['53/udp', '80/tcp']);
  running.names.setPorts('c2', ['80/tcp']);
  const srv = async (name: string) => {
    const reply = await ask(running.at, question(name, 'SRV'));
    const targets = reply.answers.map((answer) => {
      assert.ok(answer.type === 'SRV');
      return `${answer.data.target}:${answer.data.port}`;
    });
    return [reply.rcode, ...targets.sort()];
  };
  const both = ['NOERROR', 'shop-web-1.weave.local:80', 'shop-web-2.weave.local:80'];
  assert.deepEqual(await srv('_80._tcp.web.shop.weave.local'), both);
  assert.deepEqual(await srv('_http._tcp.web.shop.weave.local'), both);
  assert.deepEqual(await srv('_53._udp.web.shop.weave.local'), ['NOERROR', 'shop-web-1.weave.local:53']);
  assert.deepEqual(await srv('_80._tcp.shop-web-2'), ['NOERROR', 'shop-web-2.weave.local:80']);
  assert.deepEqual(await srv('_81._tcp.web.shop.weave.local'), ['NXDOMAIN']);
  assert.equal((await srv('web.shop.weave.local')).length, 4);
  const other = await ask(running.at, question('_80._tcp.web.shop.weave.local', 'AAAA'));
  assert.deepEqual([other.rcode, other.answers.length], ['NOERROR', 0]);
});

test('the reverse of an address has no wildcard among its names', async () => {
  await using running = await serve();
  running.names.add(record('bbox1', '10.32.0.1'));
  running.names.add(record('*.bbox1', '10.32.0.1'));
  const reply = await ask(running.at, question('1.0.32.10.in-addr.arpa', 'PTR'));
  assert.deepEqual(data(reply), ['bbox1.weave.local']);
});
