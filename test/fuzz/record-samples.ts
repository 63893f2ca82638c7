import { accessRecord } from '../../src/store/records/access.ts';
import { addressRecord } from '../../src/store/records/address.ts';
import { aliveRecord } from '../../src/store/records/alive.ts';
import { blockRecord } from '../../src/store/records/block.ts';
import { createdRecord } from '../../src/store/records/created.ts';
import { dnsAddressRecord } from '../../src/store/records/dns-address.ts';
import { eraRecord, standRecord, turnRecord } from '../../src/store/records/era.ts';
import {
  etcdHostRecord,
  etcdMembersRecord,
  etcdStewardRecord,
  etcdVotersRecord,
} from '../../src/store/records/etcd.ts';
import { exposeRecord } from '../../src/store/records/expose.ts';
import { hostRecord } from '../../src/store/records/host.ts';
import { hostsRecord } from '../../src/store/records/hosts.ts';
import { joinRecord } from '../../src/store/records/join.ts';
import { linkRecord } from '../../src/store/records/link.ts';
import { madeHostnameRecord } from '../../src/store/records/made-hostname.ts';
import { namesRecord } from '../../src/store/records/names.ts';
import { overrideRecord } from '../../src/store/records/override.ts';
import type { RecordKind } from '../../src/store/records/record-kind.ts';
import { removedRecord } from '../../src/store/records/removed.ts';
import { movedRecord, settingsRecord } from '../../src/store/records/settings.ts';
import { targetsRecord } from '../../src/store/records/targets.ts';
import { tuningRecord } from '../../src/store/records/tuning.ts';
import { wantRecord } from '../../src/store/records/want.ts';

/** A record that is accepted. */
export interface Sample {
  kind: RecordKind<unknown, unknown>;
  /** the rest of the key */
  key: string;
  value: unknown;
}

const id = 'c'.repeat(64);
const host = '0e:1d:12:1a:1a:88';
const ip = '10.32.0.1';
const hostname = 'bbox1.weave.local.';
const key = 'AAAA';

const list: [kind: unknown, key: string, value: unknown][] = [
  [accessRecord, 'access', { ca: '/ca.pem', cert: '/cert.pem', key: '/key.pem', user: 'weave' }],
  [addressRecord, ip, { owner: id, cidr: '10.32.0.1/12' }],
  [aliveRecord, host, { id: 'a1', run: 'b2', address: ip }],
  [blockRecord, '10.32.0.0', { '0-127': host, '128-255': host }],
  [
    createdRecord,
    id,
    {
      entrypoint: ['a'],
      cmd: null,
      hostname: '',
      domainname: '',
      dns: ['1.1.1.1'],
      dnsSearch: null,
      binds: ['/a:/b'],
      failure: { message: 'no', exitCode: 127, finishedAt: '2026-01-01T00:00:00Z' },
    },
  ],
  [dnsAddressRecord, '172.17.0.1', {}],
  [eraRecord, 'now', { number: 1, id: 'a1', settled: true }],
  [turnRecord, host, { turn: 1, era: 'a1', step: 'told' }],
  [standRecord, host, { machine: 'm1', sent: 2, confirmed: 1, era: { number: 1, id: 'a1' }, behind: false }],
  [etcdHostRecord, host, { address: ip, since: 1, version: '3.5.16' }],
  [
    etcdMembersRecord,
    'members',
    { clusterId: 'c1', members: [{ id: 'a1', name: host, address: ip, learner: true }] },
  ],
  [etcdStewardRecord, 'steward', { host, run: 'b2' }],
  [etcdVotersRecord, 'voters', 3],
  [exposeRecord, '10.32.0.1/12', { masquerade: true, hostsFile: true }],
  [
    hostRecord,
    host,
    { id: 'a1', nickname: 'host1', address: ip, vni: 1, version: '0.1.0', key, probes: true },
  ],
  [
    hostsRecord,
    id,
    {
      path: `/var/lib/docker/containers/${id}/hosts`,
      lines: [`${ip}\t${hostname}`],
      renamed: { was: 'c1.weave.local c1', is: `${hostname} c2` },
    },
  ],
  [joinRecord, id, { expires: 1 }],
  [
    linkRecord,
    `${host}/${id}`,
    {
      mac: host,
      ips: [ip],
      names: [{ hostname, address: ip }],
      wildcards: [{ hostname: `*.${hostname}`, address: ip }],
      ports: ['80/tcp'],
    },
  ],
  [madeHostnameRecord, id, { hostname: 'bbox1' }],
  [
    namesRecord,
    id,
    {
      pid: 1,
      boot: 'b2',
      addresses: [ip],
      own: [hostname],
      unnamed: [ip],
      names: [{ hostname, address: ip }],
    },
  ],
  [
    overrideRecord,
    id,
    {
      cidrs: ['10.32.0.1/12'],
      choice: { multicastRoute: true, rewriteHosts: true, addHosts: [`a:${ip}`], dns: true },
    },
  ],
  [settingsRecord, 'settings', { range: '10.32.0.0/12', domain: 'weave.local.', proof: key, salt: key }],
  [removedRecord, host, { at: 1 }],
  [movedRecord, 'settings', { moved: { by: 'a', host: ip, to: null, settings: '{}' } }],
  [targetsRecord, 'targets', { hosts: [ip] }],
  [tuningRecord, 'net/ipv4/conf/eth1/rp_filter', { from: '1', to: '2' }],
  [wantRecord, `${host}/${host}/a1`, { first: 1, last: 2 }],
];

/** One of each kind of record; a rule fails if one is missing. */
export const samples: readonly Sample[] = list.map(([kind, key, value]) => ({
  kind: kind as RecordKind<unknown, unknown>,
  key,
  value,
}));
