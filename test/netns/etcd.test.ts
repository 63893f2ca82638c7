/** Real members of etcd, each of a host of its own as far as etcd can tell: on an address of loopback. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
import { type Member, Members } from '../../src/etcd/members.ts';
import { OwnMember } from '../../src/etcd/own-member.ts';
import { listSnapshots } from '../../src/etcd/snapshots.ts';
import { endpointsOf, Steward } from '../../src/etcd/steward.ts';
import { run } from '../../src/lib/exec.ts';
import { silent } from '../../src/lib/log.ts';
import { memberClientPort } from '../../src/model/ports.ts';
import { EtcdStore } from '../../src/store/etcd/etcd.ts';
import { etcdStewardRecord } from '../../src/store/records/etcd.ts';
import { removedRecord } from '../../src/store/records/removed.ts';
import { until } from '../support/until.ts';

/** Of this file's own, as other tests run beside it. */
const net = `127.${randomInt(1, 255)}.${randomInt(0, 256)}`;
/** By code, what daemons have said last. */
const told = new Map<string, string | undefined>();
const conditions = {
  set: () => {},
  clear: () => {},
  update: (code: string, text: string | undefined) => void told.set(code, text),
};
let root = '';

/** What a daemon does of this, without the rest of it. */
class Daemon {
  readonly name: string;
  readonly address: string;
  readonly folder: string;
  readonly #stopping = new AbortController();
  shared!: EtcdStore;
  steward!: Steward;

  constructor(number: number, at: number) {
    this.name = `02:00:00:00:00:${String(number).padStart(2, '0')}`;
    this.address = `${net}.${at}`;
    this.folder = join(root, `host${number}`);
  }

  /** By which peers see it: on loopback all come from the first address. */
  get addresses(): string[] {
    return [this.address, '127.0.0.1'];
  }

  get options() {
    const { folder, name, address, addresses } = this;
    return { folder, name, address, addresses };
  }

  /** As `cluster join` leaves a host. */
  async join(first: Daemon): Promise<void> {
    const ca = await readAuthority(first.folder);
    assert.ok(ca);
    await writeAuthority(this.folder, ca);
    await writeClusterFile(this.folder, { id: 'x', endpoints: endpointsOf(await first.members()) });
    await this.start();
  }

  async start(): Promise<void> {
    const { folder, address } = this;
    const ca = await readAuthority(folder);
    assert.ok(ca);
    const { signal } = this.#stopping;
    const self = { name: this.name, address };
    const deps = { folder, self, ca, conditions, logger: silent, signal };
    const own = new OwnMember({ ...deps, addresses: () => this.addresses });
    await own.resume();
    const { client } = etcdFiles(folder);
    const [cert, key] = [client.cert, client.key].map((path) => readFileSync(path, 'utf8'));
    const file = JSON.parse(readFileSync(etcdFiles(folder).cluster, 'utf8')) as { endpoints: string[] };
    this.shared = await EtcdStore.connect({
      endpoints: file.endpoints.map((endpoint) => `https://${endpoint}`),
      tls: { ca: ca.cert, cert: cert as string, key: key as string },
      leaseSeconds: 5,
      logger: silent,
    });
    this.steward = Steward.start({
      ...deps,
      own,
      shared: this.shared,
      // Longer than any that is killed takes to come back on a busy machine.
      patience: 15_000,
      changed: (list) => this.shared.setEndpoints(endpointsOf(list).map((endpoint) => `https://${endpoint}`)),
      renewed: () => {},
    });
    // What the rest of a daemon registers.
    await until(`${this.name} is registered`, async () => {
      const writes = [
        { key: `host/${this.name}`, value: '{}' },
        { key: `alive/${this.name}`, value: '{}', leased: true },
      ];
      return this.shared.commit(writes).catch(() => false);
    });
  }

  async members(): Promise<readonly Member[]> {
    const ca = await readAuthority(this.folder);
    const file = JSON.parse(readFileSync(etcdFiles(this.folder).cluster, 'utf8')) as { endpoints: string[] };
    assert.ok(ca);
    return (await new Members({ endpoints: file.endpoints, ca }).list().catch(() => ({ members: [] })))
      .members;
  }

  /** Ends the daemon; its etcd goes on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.steward?.ended;
    await this.shared?.close();
  }

  async killEtcd(): Promise<void> {
    const member = await EtcdMember.find(this.folder);
    assert.ok(member, `${this.name} has an etcd`);
    process.kill(member.pid, 'SIGKILL');
    await until('its etcd has ended', () => !member.alive);
  }
}

/** Waits until a key has this value; while etcd elects a leader it may have to be asked again. */
const hasValue = ({ shared, name }: Daemon, key: string, value: string) =>
  until(`${name} finds ${value} under ${key}`, async () => {
    return (await shared.get(key).catch(() => undefined))?.value === value;
  });

/** Writes a value, however often that takes. */
const put = ({ shared }: Daemon, key: string, value: string) =>
  until(`${key} is written`, () => shared.commit([{ key, value }]).catch(() => false));

const daemons: Daemon[] = [];
function daemon(number: number, at = number): Daemon {
  const made = new Daemon(number, at);
  daemons.push(made);
  return made;
}

/** Waits until the members are these: `v1 v2 l3`. */
async function settled(on: Daemon, wanted: string): Promise<void> {
  let last = '';
  await until(
    `the members are ${wanted}`,
    async () => {
      const members = await on.members();
      last = members
        .map(
          ({ address, learner, name }) =>
            `${learner ? 'l' : name === '' ? '?' : 'v'}${address.split('.')[3]}`,
        )
        .sort()
        .join(' ');
      return last === wanted;
    },
    120_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; they are ${last}`);
  });
}

before(() => {
  root = mkdtempSync(join(tmpdir(), 'weavets-managed-etcd-'));
});
after(async () => {
  for (const each of daemons) await each.stop().catch(() => {});
  for (const each of daemons) await (await EtcdMember.find(each.folder))?.stop();
  rmSync(root, { recursive: true, force: true });
});

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
  const [one] = daemons as [Daemon];
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
  const [one] = daemons as [Daemon];
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
  const [one, two, three] = daemons as [Daemon, Daemon, Daemon];
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
  const [one] = daemons as [Daemon];
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
  const [one, , three] = daemons as [Daemon, Daemon, Daemon];
  const four = daemon(4);
  await four.join(one);
  await settled(one, 'v1 v2 v3');
  await three.killEtcd();
  await settled(one, 'v1 v2 v4');
  await hasValue(four, 'x', three.name);
});

test('another daemon takes over changing the members', async () => {
  const [one, two, , four] = daemons as [Daemon, Daemon, Daemon, Daemon];
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
  const [other] = others as [Daemon];
  await until('another leads', async () => {
    const now = (await other.shared.get(key).catch(() => undefined))?.value ?? '';
    return now !== '' && !now.includes(before);
  });
});

test('certificates are renewed while running: the next connection uses the new one', async () => {
  const one = daemons.find(({ steward }) => steward !== undefined) as Daemon;
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
  const [one, two, three] = [13, 11, 12].map((number) => daemon(number)) as [Daemon, Daemon, Daemon];
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
  const back = [11, 12, 13].map((number) => daemon(number)) as [Daemon, Daemon, Daemon];
  await Promise.all(back.map((each) => each.start()));
  for (const each of back) await settled(each, 'v11 v12 v13');
  for (const each of back) await hasValue(each, 'kept', 'yes');
});

test('a host with a new address keeps its member', async () => {
  const six = daemons.find(({ name }) => name.endsWith(':06')) as Daemon;
  await six.stop();
  const moved = daemon(6, 7);
  await moved.start();
  await hasValue(moved, 'kept', 'yes');
  await settled(moved, 'v7');
});
