import assert from 'node:assert/strict';
import test from 'node:test';
import { ownRoutes } from '../../../src/containers/own-routes.ts';
import { routesFor } from '../../../src/containers/path-mtu.ts';
import { Cidr, formatIp, type Ip } from '../../../src/model/address.ts';

const cidrs = [Cidr.parse('10.32.0.1/12'), Cidr.parse('10.2.1.1/24')];
const container = { link: 'ethwe', cidrs, multicast: true };

test('each address behind a narrow path has a route, from the address of its own subnet; multicast gets the smallest MTU', () => {
  const narrow = new Map([
    ['10.32.0.9' as Ip, 1000],
    ['10.2.1.9' as Ip, 650],
    ['10.99.0.9' as Ip, 650],
  ]);
  assert.deepEqual(
    [...routesFor(container, narrow).values()].map(({ line }) => line),
    [
      '224.0.0.0/5 dev ethwe scope link mtu 650 advmss 610 metric 6784',
      '232.0.0.0/5 dev ethwe scope link mtu 650 advmss 610 metric 6784',
      '10.32.0.9/32 dev ethwe scope link src 10.32.0.1 mtu 1000 advmss 960 metric 6784',
      '10.2.1.9/32 dev ethwe scope link src 10.2.1.1 mtu 650 advmss 610 metric 6784',
    ],
  );
  assert.deepEqual(
    [...routesFor({ ...container, multicast: false }, narrow).keys()],
    ['10.32.0.9/32', '10.2.1.9/32'],
  );
  assert.equal(routesFor(container, new Map()).size, 0);
});

test('beyond too many addresses a container has two routes for each of its subnets', () => {
  const narrow = new Map(Array.from({ length: 513 }, (_, i) => [formatIp(0x0a_20_01_00 + i), 650 + (i % 2)]));
  assert.deepEqual(
    [...routesFor({ ...container, multicast: false }, narrow)].map(([prefix, { mtu }]) => [prefix, mtu]),
    [
      ['10.32.0.0/13', 650],
      ['10.40.0.0/13', 650],
      ['10.2.1.0/25', 650],
      ['10.2.1.128/25', 650],
    ],
  );
});

test('our routes are read from what the kernel prints, and no others', () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'ethwe\t0000200A\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0',
    'ethwe\t0500200A\t00000000\t0005\t0\t0\t6784\tFFFFFFFF\t650\t0\t0',
    'ethwe\t0600200A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t650\t0\t0',
    'eth0\t0700200A\t00000000\t0005\t0\t0\t6784\tFFFFFFFF\t650\t0\t0',
    'ethwe\t000000E0\t00000000\t0001\t0\t0\t6784\t000000F8\t650\t0\t0',
    '',
  ].join('\n');
  assert.deepEqual(ownRoutes(table, 'ethwe'), [
    { prefix: '10.32.0.5/32', mtu: 650 },
    { prefix: '224.0.0.0/5', mtu: 650 },
  ]);
  assert.deepEqual(ownRoutes('', 'ethwe'), []);
});
