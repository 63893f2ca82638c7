import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { createAuthority, issue } from '../../src/etcd/authority.ts';
import { backUp, restore } from '../../src/etcd/backup.ts';
import { writeClusterFile } from '../../src/etcd/cluster-file.ts';
import { createCluster } from '../../src/etcd/create.ts';
import { ensureCertificates, etcdFiles, readAuthority, writeAuthority } from '../../src/etcd/files.ts';
import { leaveEtcd } from '../../src/etcd/leave.ts';
import { EtcdMember } from '../../src/etcd/member-process.ts';
import { Members } from '../../src/etcd/members.ts';
import { listSnapshots } from '../../src/etcd/snapshots.ts';
import { endpointsOf } from '../../src/etcd/steward.ts';
import { run } from '../../src/lib/exec.ts';
import { memberClientPort } from '../../src/model/ports.ts';
import { etcdStewardRecord } from '../../src/store/records/etcd.ts';
import { removedRecord } from '../../src/store/records/removed.ts';
import { hasValue, type MemberDaemon, MemberLab, put, settled } from '../support/member-lab.ts';
import { until } from '../support/until.ts';

let lab: MemberLab;
let root = '';
let daemons: MemberDaemon[] = [];
let told = new Map<string, string | undefined>();
const daemon = (number: number, at?: number) => lab.daemon(number, at);

before(() => {
  lab = new MemberLab();
  ({ root, daemons, told } = lab);
});
after(() => lab?.[Symbol.asyncDispose]());

/** What etcdctl says to who shows this certificate. Where no answer is to come, it is not waited for long. */
async function ctl(address: string, pair: { ca: string; cert: string; key: string }, ...args: string[]) {
  const files = ['--cacert', pair.ca, '--cert', pair.cert, '--key', pair.key];
  const endpoint = ['--endpoints', `https://${address}:${memberClientPort}`];
  return run(
    ['etcdctl', '--dial-timeout', '20s', '--command-timeout', '20s', ...endpoint, ...files, ...args],
    {
      env: { ...process.env, ETCDCTL_API: '3' },
    },
  );
}

const soon = ['--dial-timeout', '2s', '--command-timeout', '2s'];

test('the first host: its etcd admits only clients with its certificate, and only to weavets’ keys', async () => {
  const one = daemon(1);
  const { options } = one;
  const file = await createCluster(options);
  assert.deepEqual(file.endpoints, [`${one.address}:${memberClientPort}`]);
  const pid = (await EtcdMember.find(one.folder))?.pid;
  assert.deepEqual(await createCluster(options), file, 'again, as after a crash');
  assert.equal((await EtcdMember.find(one.folder))?.pid, pid);

  const { ca, client, member } = etcdFiles(one.folder);
  const own = { ca: ca.cert, ...client };
  assert.equal((await ctl(one.address, own, 'put', '/weavets/a', 'b')).code, 0);
  assert.match((await ctl(one.address, own, 'get', '/other')).stderr, /permission denied/);
  assert.match(
    (await ctl(one.address, own, 'member', 'add', 'x', '--peer-urls=https://127.0.0.9:1')).stderr,
    /permission denied/,
  );
  assert.notEqual((await ctl(one.address, { ca: ca.cert, ...member }, ...soon, 'get', '/weavets/a')).code, 0);

  const foreign = createAuthority('ffffffffffff');
  const other = join(root, 'foreign');
  await writeAuthority(other, foreign);
  await ensureCertificates(other, { ca: foreign, name: 'x', addresses: [one.address] });
  const theirs = etcdFiles(other);
  assert.notEqual(
    (await ctl(one.address, { ca: ca.cert, ...theirs.client }, ...soon, 'get', '/weavets/a')).code,
    0,
  );
  const wrong = new Members({ endpoints: file.endpoints, ca: foreign });
  await assert.rejects(wrong.list(), { code: 'STORE_UNAVAILABLE' });
  for (const path of [ca.key, client.key, member.key]) assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("etcd's peers need certificates of members, which clients don't have", async () => {
  const [one] = daemons as [MemberDaemon];
  const { ca, client, member } = etcdFiles(one.folder);
  const talks = (files: { cert: string; key: string }) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({
        host: one.address,
        port: memberClientPort + 1,
        ca: readFileSync(ca.cert),
        cert: readFileSync(files.cert),
        key: readFileSync(files.key),
        ALPNProtocols: ['http/1.1'],
      });
      socket.on('error', () => resolve(false)).on('close', () => resolve(false));
      socket.on('data', (data) => resolve(/^HTTP\/1\.1 200/.test(data.toString())));
      socket.write('GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
  assert.equal(await talks(member), true);
  assert.equal(await talks(client), false);
});

test('one host votes, the second learns, the third makes three; a snapshot before each change', async () => {
  const [one] = daemons as [MemberDaemon];
  await one.start();
  await settled(one, 'v1');
  const two = daemon(2);
  await two.join(one);
  await settled(one, 'l2 v1');
  const three = daemon(3);
  await three.join(one);
  await settled(one, 'v1 v2 v3');
  await until('every host goes to all three', () =>
    [one, two, three].every(({ steward }) => endpointsOf(steward.state().members).length === 3),
  );
  const changes = await listSnapshots(one.folder);
  assert.ok(changes.length >= 2, `${changes.length} snapshots`);
});

test('an etcd that is killed comes back with its data, and outlives its daemon', async () => {
  const [one, two, three] = daemons as [MemberDaemon, MemberDaemon, MemberDaemon];
  for (const each of [one, two, three]) {
    await each.killEtcd();
    await put(one, 'x', each.name);
    await until('it is back', async () => (await EtcdMember.find(each.folder)) !== undefined);
    const { address } = each;
    const ca = await readAuthority(one.folder);
    assert.ok(ca);
    const members = new Members({ endpoints: [`${address}:${memberClientPort}`], ca });
    await until('it serves', async () => (await members.list().catch(() => undefined)) !== undefined);
  }
  await hasValue(two, 'x', three.name);
  const pid = (await EtcdMember.find(three.folder))?.pid;
  await three.stop();
  assert.equal((await EtcdMember.find(three.folder))?.pid, pid);
});

test('an etcd that no file tells of, as the disk was full when it started, is found all the same', async () => {
  const [one] = daemons as [MemberDaemon];
  const { pid: file } = etcdFiles(one.folder);
  // Nothing can be written there.
  mkdirSync(`${file}.new`);
  await one.killEtcd();
  await until('it is back', async () => (await EtcdMember.find(one.folder)) !== undefined);
  const pid = (await EtcdMember.find(one.folder))?.pid;
  await put(one, 'y', 'without a file');
  rmdirSync(`${file}.new`);
  assert.equal((await EtcdMember.find(one.folder))?.pid, pid);
  assert.match(readFileSync(file, 'utf8'), new RegExp(`"pid":${pid},`));
});

test('a voter whose host is lost is replaced by another host', async () => {
  const [one, , three] = daemons as [MemberDaemon, MemberDaemon, MemberDaemon];
  const four = daemon(4);
  await four.join(one);
  await settled(one, 'v1 v2 v3');
  await three.killEtcd();
  await settled(one, 'v1 v2 v4');
  await hasValue(four, 'x', three.name);
});

test('another daemon takes over changing the members', async () => {
  const [one, two, , four] = daemons as [MemberDaemon, MemberDaemon, MemberDaemon, MemberDaemon];
  const key = etcdStewardRecord.keyOf('steward');
  let before = '';
  await until('one leads', async () => {
    const entry = await one.shared.get(key).catch(() => undefined);
    before = (JSON.parse(entry?.value ?? '{"host":""}') as { host: string }).host;
    return before !== '';
  });
  const leader = [one, two, four].find(({ name }) => name === before);
  assert.ok(leader, `${before} leads`);
  const others = [one, two, four].filter((each) => each !== leader);
  await leader.stop();
  const [other] = others as [MemberDaemon];
  await until('another leads', async () => {
    const now = (await other.shared.get(key).catch(() => undefined))?.value ?? '';
    return now !== '' && !now.includes(before);
  });
});

test('certificates are renewed while running: the next connection uses the new one', async () => {
  const one = daemons.find(({ steward }) => steward !== undefined) as MemberDaemon;
  const ca = await readAuthority(one.folder);
  assert.ok(ca);
  const { member } = etcdFiles(one.folder);
  const shown = () =>
    new Promise<string>((resolve, reject) => {
      const client = issue({ ca, kind: 'client', name: 'x' });
      const socket = connect({ host: one.address, port: memberClientPort, ca: ca.cert, ...client }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      }).on('error', reject);
    });
  const before = await shown();
  const now = new Date(Date.now() + 61 * 86_400_000);
  assert.equal(
    await ensureCertificates(one.folder, { ca, name: one.name, addresses: [one.address], now }),
    true,
  );
  assert.notEqual(await shown(), before);
  assert.ok(readFileSync(member.cert, 'utf8').includes('CERTIFICATE'));
});

test('a backup restores a lost cluster, and it grows again', async () => {
  const one = daemon(5);
  const { options } = one;
  await createCluster(options);
  await one.start();
  await put(one, 'kept', 'yes');
  const file = join(root, 'backup.db');
  await backUp(one.folder, file);
  await put(one, 'kept', 'no');
  await one.stop();
  await (await EtcdMember.find(one.folder))?.stop();
  await restore(file, options);
  const again = daemon(5);
  await again.start();
  await hasValue(again, 'kept', 'yes');
  const six = daemon(6);
  await six.join(again);
  await settled(again, 'l6 v5');
  await assert.rejects(restore(file, again.options), /serves, with 127\..*\.6;/);

  // One that is removed has a certificate for nothing, and does not get round that; the other goes on.
  const { ca, client } = etcdFiles(six.folder);
  const asks = (...argv: string[]) => ctl(again.address, { ca: ca.cert, ...client }, ...soon, ...argv);
  assert.equal((await asks('get', '/weavets/kept')).code, 0);
  const removed = removedRecord.keyOf(six.name);
  await again.shared.commit([removedRecord.write(six.name, { at: 1 })]);
  const authority = (await readAuthority(again.folder)) ?? assert.fail('it has none');
  await new Members({ endpoints: endpointsOf(await again.members()), ca: authority }).expel(six.name);
  await until('it knows', () => /removed/.test(told.get('HOST_REMOVED') ?? ''));
  for (const argv of [
    ['get', '/weavets/kept'],
    ['put', '/weavets/kept', 'no'],
  ])
    assert.match((await asks(...argv)).stderr, /permission denied/);
  await again.shared.commit([{ key: 'on', value: 'yes' }]);
  // Taken back, or not known to a backup.
  await again.shared.commit([{ key: removed, value: null }]);
  await until('it is served again', async () => (await asks('get', '/weavets/kept')).code === 0);

  // The only voter leaves its place to the learner.
  await again.stop();
  await leaveEtcd(again.folder);
  assert.equal(await EtcdMember.find(again.folder), undefined);
  await settled(six, 'v6');
  await hasValue(six, 'kept', 'yes');
  assert.match(
    (await ctl(six.address, { ca: ca.cert, ...etcdFiles(again.folder).client }, 'get', '/weavets/kept'))
      .stderr,
    /permission denied/,
  );
});

test('hosts that were away while another was restored from a backup join its cluster', async () => {
  const [one, two, three] = [13, 11, 12].map((number) => daemon(number)) as [
    MemberDaemon,
    MemberDaemon,
    MemberDaemon,
  ];
  await createCluster(one.options);
  await one.start();
  await two.join(one);
  await three.join(one);
  await settled(one, 'v11 v12 v13');
  await put(one, 'kept', 'yes');
  const file = join(root, 'backup-of-three.db');
  await backUp(one.folder, file);
  await put(one, 'kept', 'no');
  for (const each of [one, two, three]) await each.stop();
  for (const each of [one, two, three]) await (await EtcdMember.find(each.folder))?.stop();
  await restore(file, one.options);
  // The other two have a majority of what was, and find that first: they must not go on with it.
  const endpoints = [two, three].map(({ address }) => `${address}:${memberClientPort}`);
  for (const { folder } of [two, three]) await writeClusterFile(folder, { id: 'x', endpoints });
  const back = [11, 12, 13].map((number) => daemon(number)) as [MemberDaemon, MemberDaemon, MemberDaemon];
  await Promise.all(back.map((each) => each.start()));
  for (const each of back) await settled(each, 'v11 v12 v13');
  for (const each of back) await hasValue(each, 'kept', 'yes');
});

test('a host with a new address keeps its member', async () => {
  const six = daemons.find(({ name }) => name.endsWith(':06')) as MemberDaemon;
  await six.stop();
  const moved = daemon(6, 7);
  await moved.start();
  await hasValue(moved, 'kept', 'yes');
  await settled(moved, 'v7');
});
