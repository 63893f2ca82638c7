import assert from 'node:assert/strict';
import test from 'node:test';
import { ownRoutes } from '../../../src/containers/own-routes.ts';

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
