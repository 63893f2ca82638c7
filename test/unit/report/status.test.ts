import assert from 'node:assert/strict';
import test from 'node:test';
import type { Report } from '../../../src/report/report.ts';
import { condition, report, weavets } from '../cli/support.ts';

async function status(of: Report, ...topic: string[]): Promise<string> {
  const { code, out, err } = await weavets(['status', ...topic], { answers: { report: () => of } });
  assert.deepEqual([code, err], [0, '']);
  return out;
}

test('the overview', async () => {
  assert.equal(
    await status(report),
    `        Version: 2.8.1

        Service: router
           Name: 0e:1d:12:1a:1a:88(host1)
     Encryption: disabled
        Targets: 0
    Connections: 0
          Peers: 1
 TrustedSubnets: none

        Service: ipam
         Status: ready
          Range: 10.32.0.0/12
  DefaultSubnet: 10.32.0.0/12

        Service: dns
         Domain: weave.local.
       Upstream: 10.255.255.53
            TTL: 1
        Entries: 2

        Service: proxy
        Address: unix:///var/run/weave/weave.sock
`,
  );
});

test('conditions come last', async () => {
  const lines = (await status({ ...report, Conditions: [condition] })).split('\n');
  assert.deepEqual(lines.slice(-4), [
    '        Address: unix:///var/run/weave/weave.sock',
    '',
    '        Warning: the route 10.40.0.0/16 overlaps the range (since 2026-01-01T00:00:00.000Z)',
    '',
  ]);
});

test('repairs are listed below what is wrong', async () => {
  const healed = { ...condition, Text: 'the bridge was down' };
  const lines = (await status({ ...report, Conditions: [condition], Healed: [healed] })).split('\n');
  assert.match(lines.at(-3) ?? '', /^ {8}Warning: the route/);
  assert.equal(lines.at(-2), '         Healed: the bridge was down (2026-01-01T00:00:00.000Z)');
});

test('disabled services have no block, idle ones say so', async () => {
  const off = { ...report, DNS: null, Proxy: null, IPAM: report.IPAM && { ...report.IPAM, Entries: [] } };
  assert.deepEqual(
    (await status(off)).split('\n').filter((line) => /Service|Status/.test(line)),
    ['        Service: router', '        Service: ipam', '         Status: idle'],
  );
});

const cluster: Report = {
  ...report,
  Router: {
    ...report.Router,
    Encryption: true,
    TrustedSubnets: ['10.0.0.0/8', '192.168.0.0/16'],
    Targets: ['10.0.0.2', 'host3:6783'],
    Peers: [
      ...report.Router.Peers,
      { Name: '0e:1d:12:1a:1a:89', NickName: 'host2', UID: 1, Version: 1, Connections: null },
    ],
    Connections: [
      {
        Address: '10.0.0.2:6784',
        Outbound: true,
        State: 'established',
        Info: 'vxlan 0e:1d:12:1a:1a:89(host2)',
      },
      { Address: '10.0.0.123:6784', Outbound: false, State: 'failed', Info: 'encrypted wireguard' },
    ],
  },
  IPAM: report.IPAM && {
    ...report.IPAM,
    Entries: [
      { Token: '10.32.0.0', Size: 524288, Peer: '0e:1d:12:1a:1a:88', Nickname: 'host1', IsKnownPeer: true },
      { Token: '10.40.0.0', Size: 262144, Peer: '0e:1d:12:1a:1a:89', Nickname: 'host2', IsKnownPeer: false },
      { Token: '10.44.0.0', Size: 262144, Peer: '0e:1d:12:1a:1a:88', Nickname: 'host1', IsKnownPeer: true },
    ],
  },
};

test('the overview of a cluster', async () => {
  const lines = (await status(cluster)).split('\n');
  assert.deepEqual(lines.slice(4, 9), [
    '     Encryption: enabled',
    '        Targets: 2',
    '    Connections: 2 (1 established, 1 failed)',
    '          Peers: 2',
    ' TrustedSubnets: 10.0.0.0/8, 192.168.0.0/16',
  ]);
});

test('targets, connections, peers', async () => {
  assert.equal(await status(report, 'targets'), '');
  assert.equal(await status(report, 'connections'), '');
  assert.equal(await status(report, 'peers'), '0e:1d:12:1a:1a:88(host1)\n');
  assert.equal(await status(cluster, 'targets'), '10.0.0.2\nhost3:6783\n');
  assert.equal(
    await status(cluster, 'connections'),
    '->  10.0.0.2:6784    established  vxlan 0e:1d:12:1a:1a:89(host2)\n<-  10.0.0.123:6784  failed       encrypted wireguard\n',
  );
  assert.equal(await status(cluster, 'peers'), '0e:1d:12:1a:1a:88(host1)\n0e:1d:12:1a:1a:89(host2)\n');
});

test('dns: names in our domain are short', async () => {
  assert.equal(
    await status(report, 'dns'),
    'bbox1        10.32.0.1  c3414fa41f61  0e:1d:12:1a:1a:88\ndb.example.  10.32.0.2  weave:extern  0e:1d:12:1a:1a:88\n',
  );
});

test('ipam: the total share of each peer', async () => {
  assert.equal(
    await status(report, 'ipam'),
    '0e:1d:12:1a:1a:88(host1)  1048576 IPs (100.0% of total) (2 active)\n',
  );
  assert.equal(
    await status(cluster, 'ipam'),
    '0e:1d:12:1a:1a:88(host1)  786432 IPs (75.0% of total) (2 active)\n0e:1d:12:1a:1a:89(host2)  262144 IPs (25.0% of total) - unreachable!\n',
  );
});
