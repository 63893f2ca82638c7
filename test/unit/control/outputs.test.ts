import assert from 'node:assert/strict';
import test from 'node:test';
import * as v from 'valibot';
import { commands } from '../../../src/cli/commands.ts';
import { outputs } from '../../../src/control/outputs.ts';
import { healthOf } from '../../../src/report/health.ts';
import { rowsOf } from '../../../src/report/ps-rows.ts';
import { report } from '../cli/support.ts';

test('every command with --json has a form that is written down', () => {
  const taking = commands.filter(({ options = {} }) => 'json' in options).map(({ name }) => name);
  const written = new Set(Object.keys(outputs).map((name) => name.split(' ')[0]));
  assert.deepEqual(taking.sort(), [...written].sort());
});

test('a report, its health and its containers are of these forms', () => {
  const around = { attached: 1, others: null, dockerHost: undefined };
  assert.deepEqual(v.parse(outputs.report, report), report);
  const health = healthOf(report, around);
  assert.deepEqual(v.parse(outputs.status, health), health);
});

test('ps --all: own containers with their MAC, and those of other hosts by their names', () => {
  const own = { id: 'c'.repeat(64), name: 'bbox1', mac: 'c2:5b:c8:27:61:01', cidrs: ['10.32.0.1/12'] };
  const unexposed = { id: 'weave:expose', name: 'weave:expose', mac: '0e:1d:12:1a:1a:88', cidrs: [] };
  const entry = { Origin: 'h2', ContainerID: 'd'.repeat(64), Address: '10.33.0.1' };
  const [self] = report.Router.Peers;
  const there = {
    ...report,
    Router: { ...report.Router, Peers: [self, { ...self, Name: 'h2', NickName: 'host2' }] },
    DNS: {
      ...report.DNS,
      Domain: 'weave.local.',
      Entries: [
        { ...entry, Hostname: 'web.shop.weave.local.' },
        { ...entry, Hostname: 'shop-web-1.weave.local.' },
        { ...entry, Hostname: 'shop-web-1.weave.local.', Address: '10.33.0.2' },
      ],
    },
  } as typeof report;
  const rows = rowsOf([unexposed, own], there);
  assert.deepEqual(rows, [
    { id: own.id, name: 'bbox1', host: 'host1', addresses: ['10.32.0.1/12'], mac: own.mac },
    {
      id: entry.ContainerID,
      name: 'shop-web-1',
      host: 'host2',
      addresses: ['10.33.0.1', '10.33.0.2'],
      mac: null,
    },
  ]);
  assert.deepEqual(v.parse(outputs['ps --all'], rows), rows);
});
