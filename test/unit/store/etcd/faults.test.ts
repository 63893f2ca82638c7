import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../../../src/lib/errors.ts';
import { run } from '../../../../src/lib/exec.ts';
import { silent } from '../../../../src/lib/log.ts';
import { type EtcdOptions, EtcdStore } from '../../../../src/store/etcd/etcd.ts';
import type { Store, Write } from '../../../../src/store/store.ts';
import { Etcd, type EtcdOptions as EtcdServerOptions } from '../../../support/etcd.ts';
import { repository, until } from '../../../support/host.ts';

const opened = new WeakMap<TestContext, EtcdStore[]>();

/** An etcd that ends with the test, passed or failed, once its stores are closed: an open one keeps its process alive. */
async function start(t: TestContext, options: EtcdServerOptions = {}): Promise<Etcd> {
  const etcd = await Etcd.start(options);
  t.after(async () => {
    await Promise.all((opened.get(t) ?? []).map((store) => store.close()));
    await etcd[Symbol.asyncDispose]();
  });
  return etcd;
}

async function open(t: TestContext, options: Omit<EtcdOptions, 'logger'>): Promise<EtcdStore> {
  const store = await EtcdStore.connect({ ...options, logger: silent });
  opened.set(t, [...(opened.get(t) ?? []), store]);
  return store;
}

const connect = (t: TestContext, etcd: Etcd, leaseSeconds = 10) =>
  open(t, { endpoints: etcd.endpoints, leaseSeconds });

/** A write that is repeated until etcd has it: with a short lease a machine that is busy for a moment ends a session. */
const put = (store: Store, ...writes: readonly Write[]) =>
  until('it is written', () =>
    store.commit(writes).catch((error: unknown) => {
      assert.ok(hasCode(error, 'STORE_UNAVAILABLE'), `${error}`);
      return false;
    }),
  );

/** How many keys there are; undefined: etcd does not answer. */
const count = (store: Store, prefix: string) =>
  store.list(prefix).then(
    ({ length }) => length,
    () => undefined,
  );

/** Follows a prefix as a user of the store would, and waits for what is to come of it. */
class Follower {
  readonly now = new Map<string, string>();
  resets = 0;
  /** of the last reset */
  continued: boolean | undefined;
  readonly #stop = new AbortController();
  #told = () => {};

  static async of(store: Store, prefix: string): Promise<Follower> {
    const follower = new Follower();
    await store.watch(
      prefix,
      {
        reset: (entries, continued) => {
          follower.resets++;
          follower.continued = continued;
          follower.now.clear();
          for (const { key, value } of entries) follower.now.set(key, value);
          follower.#told();
        },
        change: ({ key, value }) => {
          if (value === null) follower.now.delete(key);
          else follower.now.set(key, value);
          follower.#told();
        },
      },
      follower.#stop.signal,
    );
    return follower;
  }

  /** Resolves when `condition` holds, which is looked at after each change. */
  async until(what: string, condition: () => boolean, ms = 60_000): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${what}: not within ${ms} ms; ${JSON.stringify([...this.now])}`)),
        ms,
      );
      this.#told = () => condition() && resolve();
      this.#told();
    }).finally(() => clearTimeout(timer));
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

/** The path to a member. Whatever was in flight when it was cut gets no answer and no error. */
class Way implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #closed = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(endpoint: string): Promise<Way> {
    const { hostname, port } = new URL(endpoint);
    const way = new Way(createServer());
    way.#server.on('connection', (near) => {
      if (way.#closed) return near.destroy();
      const far = connectTo(Number(port), hostname);
      for (const socket of [near, far]) way.#sockets.add(socket.on('error', () => {}));
      near.pipe(far).pipe(near);
    });
    way.#server.listen(0, '127.0.0.1');
    await once(way.#server, 'listening');
    return way;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  lose(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Nothing passes from now on, or until it is opened again. */
  close(closed: boolean): void {
    this.#closed = closed;
    if (closed) for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server.close(), 'close');
  }
}

test('etcd killed and back with its data: calls fail in time, then work; watches go on after a reset', async (t) => {
  const etcd = await start(t);
  const [a, b] = await Promise.all([connect(t, etcd), connect(t, etcd)]);
  using seen = await Follower.of(b, '');
  await a.commit([
    { key: 'kept', value: '1' },
    { key: 'leased', value: '1', leased: true },
  ]);
  await seen.until('first keys', () => seen.now.size === 2);
  await etcd.kill('SIGKILL');
  const began = Date.now();
  await assert.rejects(a.commit([{ key: 'x', value: '1' }]), (e) => hasCode(e, 'STORE_UNAVAILABLE'));
  await assert.rejects(a.get('kept'), (e) => hasCode(e, 'STORE_UNAVAILABLE'));
  assert.ok(Date.now() - began < 60_000, `${Date.now() - began} ms for two calls`);
  assert.equal(a.status, 'disconnected');
  assert.ok(a.reason.startsWith(etcd.endpoints[0] as string), a.reason);
  etcd.launch();
  await seen.until('a reset', () => seen.resets > 1);
  assert.equal((await a.get('kept'))?.value, '1');
  assert.equal(a.status, 'connected');
  await a.commit([{ key: 'new', value: '1' }]);
  await seen.until('all', () => seen.now.size === 3);
});

test('etcd stopped for longer than the lease, and continued: leased keys are back, watchers see all', async (t) => {
  const etcd = await start(t);
  const [a, b] = await Promise.all([connect(t, etcd, 2), connect(t, etcd, 2)]);
  using seen = await Follower.of(b, 'name/');
  const names = Array.from({ length: 250 }, (_, i) => `name/${i}`);
  for (const key of names) await put(a, { key, value: 'a', leased: true });
  await put(a, { key: 'name/0', value: null });
  await seen.until('all but the deleted one', () => seen.now.size === 249);
  const { resets } = seen;
  await etcd.kill('SIGSTOP');
  await assert.rejects(a.get('name/1'), (e) => hasCode(e, 'STORE_UNAVAILABLE'));
  await delay(3_000);
  assert.equal(a.leaseAlive, false);
  await etcd.kill('SIGCONT');
  // Whether or not etcd expires the lease first, in the end each key exists under a live lease.
  await seen.until('a reset', () => seen.resets > resets);
  await until('it is connected', async () => (await count(a, 'name/')) !== undefined);
  await delay(4_500);
  await until(
    'the lease lives, with all keys',
    async () => a.leaseAlive && (await count(a, 'name/')) === 249,
  );
  await seen.until('all', () => seen.now.size === 249 && !seen.now.has('name/0'));
});

test('closing a store revokes its lease', async (t) => {
  const etcd = await start(t);
  const [a, b] = await Promise.all([connect(t, etcd, 600), connect(t, etcd)]);
  using seen = await Follower.of(b, '');
  await a.commit([{ key: 'leased', value: '1', leased: true }]);
  await seen.until('the key', () => seen.now.size === 1);
  await a.close();
  await seen.until('none', () => seen.now.size === 0);
});

test('a process that stalls keeps its session: answers wait to be read', async (t) => {
  const etcd = await start(t);
  const [a, b] = await Promise.all([connect(t, etcd, 10), connect(t, etcd)]);
  using seen = await Follower.of(a, '');
  for (let round = 0; round < 2; round++) {
    // The second time right after a beat, whose answer comes while nothing is read, until after the next is due.
    await new Promise(setImmediate);
    const end = Date.now() + 3_200;
    while (Date.now() < end);
  }
  await b.commit([{ key: 'x', value: '1' }]);
  await seen.until('what comes', () => seen.now.has('x'));
  assert.equal(seen.resets, 1);
});

test('a lease that etcd has lost is granted again with its keys, even during a commit', async (t) => {
  const etcd = await start(t);
  const a = await connect(t, etcd);
  await a.commit([{ key: 'one', value: '1', leased: true }]);
  const [lease] = /[0-9a-f]{12,}/.exec(await etcd.ctl('lease', 'list')) ?? [];
  await etcd.ctl('lease', 'revoke', lease as string);
  assert.equal(await a.commit([{ key: 'two', value: '2', leased: true, expect: 0 }]), true);
  assert.deepEqual(
    (await a.list('')).map(({ key }) => key),
    ['one', 'two'],
  );
});

test('a host that was cut off comes back with its latest state, and nothing older', async (t) => {
  const etcd = await start(t);
  await using way = await Way.to(etcd.endpoints[0] as string);
  const a = await open(t, { endpoints: [way.endpoint] });
  const b = await connect(t, etcd);
  const put = (key: string, value: string | null) => a.commit([{ key, value, leased: true }]);
  for (const key of ['k/gone', 'k/changed', 'k/same']) await put(key, 'old');
  const seen: string[] = [];
  await b.watch(
    'k/',
    { reset() {}, change: ({ key, value }) => void seen.push(`${key} ${value}`) },
    t.signal,
  );
  way.close(true);
  await Promise.all([
    assert.rejects(put('k/gone', null), (e) => hasCode(e, 'STORE_UNAVAILABLE')),
    assert.rejects(put('k/changed', 'new'), (e) => hasCode(e, 'STORE_UNAVAILABLE')),
  ]);
  const leases = (await etcd.ctl('lease', 'list')).match(/[0-9a-f]{12,}/g) ?? [];
  // One may have expired meanwhile.
  for (const lease of leases) await etcd.ctl('lease', 'revoke', lease).catch(() => {});
  await until('all is gone', () => seen.length === 3);
  way.close(false);
  await until('it is back', () => seen.length >= 5);
  assert.deepEqual(seen.slice(3).sort(), ['k/changed new', 'k/same old']);
});

test('a host that disappears loses its leased keys, and only those', async (t) => {
  const etcd = await start(t);
  const b = await connect(t, etcd, 2);
  const script = `
    import { EtcdStore } from '${repository}/src/store/etcd/etcd.ts';
    import { silent } from '${repository}/src/lib/log.ts';
    const store = await EtcdStore.connect({ endpoints: ${JSON.stringify(etcd.endpoints)}, leaseSeconds: 2, logger: silent });
    await store.commit([{ key: 'peer/gone', value: '1', leased: true }, { key: 'block/gone', value: '1' }]);
    process.kill(process.pid, 'SIGKILL');
  `;
  await run(['node', '--import', 'tsx', '--input-type=module', '-e', script], {
    script: true,
    deadline: null,
  });
  using seen = await Follower.of(b, '');
  assert.equal(seen.now.get('block/gone'), '1');
  await seen.until('the leased key gone', () => !seen.now.has('peer/gone'));
  assert.equal(seen.now.get('block/gone'), '1');
});

test('one of three members killed: no call fails for longer than 3 s, nothing is lost', async (t) => {
  const etcd = await start(t, { members: 3 });
  const stores = await Promise.all([connect(t, etcd), connect(t, etcd), connect(t, etcd)]);
  const [a, b, c] = stores as [EtcdStore, EtcdStore, EtcdStore];
  using seen = await Follower.of(b, 'k/');
  await a.commit([{ key: 'k/before', value: '1', leased: true }]);
  await etcd.kill('SIGKILL', await etcd.leader());
  let down = 0;
  for (const store of [a, b, c]) {
    const began = Date.now();
    for (let done = false; !done; ) {
      done = await store.commit([{ key: 'k/after', value: '1' }]).catch((e) => {
        assert.ok(hasCode(e, 'STORE_UNAVAILABLE'));
        return false;
      });
    }
    down = Math.max(down, Date.now() - began);
  }
  assert.ok(down < 60_000, `${down} ms without etcd`);
  await put(a, { key: 'k/last', value: '1' });
  await seen.until('all three', () => ['k/before', 'k/after', 'k/last'].every((key) => seen.now.has(key)));
});

test('changes that were compacted away while a watcher was cut off are in its reset', async (t) => {
  const etcd = await start(t);
  const a = await connect(t, etcd);
  using seen = await Follower.of(a, 'k/');
  await a.commit([{ key: 'k/old', value: '1' }]);
  await seen.until('the first key', () => seen.now.has('k/old'));
  await etcd.kill('SIGKILL');
  await assert.rejects(a.get('k/old'));
  etcd.launch();
  await etcd.ctl('del', '/weavets/k/old');
  for (let i = 0; i < 5; i++) await etcd.ctl('put', '/weavets/k/new', String(i));
  const status = JSON.parse(await etcd.ctl('endpoint', 'status', '-w', 'json')) as [
    { Status: { header: { revision: number } } },
  ];
  await etcd.ctl('compact', String(status[0].Status.header.revision));
  await seen.until('the new state', () => seen.now.get('k/new') === '4' && !seen.now.has('k/old'));
});

test('the end of one watch does not disturb the others', async (t) => {
  const etcd = await start(t);
  const a = await connect(t, etcd);
  using seen = await Follower.of(a, 'k/');
  for (let i = 0; i < 5; i++) {
    const stop = new AbortController();
    await a.watch('other/', { reset() {}, change() {} }, stop.signal);
    stop.abort();
    await a.commit([{ key: `k/${i}`, value: '1' }]);
  }
  await seen.until('all', () => seen.now.size === 5);
  assert.equal(seen.resets, 1);
});

test('TLS with client certificates, and user and password; a wrong one is reported', async (t) => {
  const etcd = await start(t, { tls: true });
  const tls = etcd.pem;
  const plain = await open(t, { endpoints: etcd.endpoints, tls });
  await plain.commit([{ key: 'x', value: '1' }]);
  await etcd.enableUsers('pass');
  const options = { endpoints: etcd.endpoints, tls, user: 'weavets' };
  const store = await open(t, { ...options, password: 'pass' });
  using seen = await Follower.of(store, '');
  await store.commit([{ key: 'y', value: '1', leased: true }]);
  await seen.until('both', () => seen.now.size === 2);
  // Tokens are lost with the process that gave them.
  await etcd.kill('SIGKILL');
  etcd.launch();
  await seen.until('a reset', () => seen.resets > 1);
  assert.equal((await store.get('y'))?.value, '1');
  const wrong = await open(t, { ...options, password: 'wrong' });
  await until('it knows why', () => /invalid user ID or password/.test(wrong.reason));
  await assert.rejects(wrong.get('x'), (e) => hasCode(e, 'STORE_UNAVAILABLE') && /password/.test(e.message));
  const bare = await open(t, { endpoints: etcd.endpoints, tls: { ca: tls.ca } });
  assert.equal(bare.status, 'disconnected');
});

test('users: expired tokens, changed users, users added later', async (t) => {
  const etcd = await start(t, { tokenSeconds: 2 });
  const options = { endpoints: etcd.endpoints };
  const [named, bare] = await Promise.all([
    open(t, { ...options, user: 'weavets', password: 'pass' }),
    open(t, options),
  ]);
  assert.equal(named.status, 'connected', 'a name has no effect where there are no users');
  using seen = await Follower.of(named, 'k/');
  await etcd.enableUsers('pass');
  await assert.rejects(
    bare.get('k/0'),
    (e) => hasCode(e, 'STORE_UNAVAILABLE') && /user name/.test(e.message),
  );
  await until('the nameless is out', () => bare.status === 'disconnected');

  await named.commit([{ key: 'k/0', value: '0', leased: true }]);
  const { resets } = seen;
  await delay(2_500);
  // Many calls find out at once.
  const keys = Array.from({ length: 20 }, (_, i) => `k/${i}`);
  await Promise.all(keys.map((key) => named.commit([{ key, value: '1', leased: true }])));
  await seen.until('all', () => seen.now.size === 20);
  // A token also counts for the users that there were when it was given, and for no others.
  await etcd.ctl('user', 'add', 'another:pass');
  assert.equal((await named.list('k/')).length, 20);
  await delay(2_500);
  using late = await Follower.of(named, 'k/');
  assert.equal(late.now.size, 20);
  assert.equal(seen.resets, resets, 'the session has gone on');
});

test('silently dead connections are abandoned, even during a login', async (t) => {
  const etcd = await start(t);
  await etcd.enableUsers('pass');
  await using way = await Way.to(etcd.endpoints[0] as string);
  const access = { user: 'weavets', password: 'pass', leaseSeconds: 2 };
  const store = await open(t, { endpoints: [way.endpoint], ...access });
  using seen = await Follower.of(store, '');
  way.lose();
  await seen.until('a reset', () => seen.resets > 1);
  assert.equal(await store.commit([{ key: 'x', value: '1' }]), true);
  way.lose();
  await seen.until('another reset', () => seen.resets > 2);
});

test('more than 4 MiB under one prefix, and no more than 128 writes in a commit', async (t) => {
  const etcd = await start(t);
  const a = await connect(t, etcd);
  const value = 'v'.repeat(100_000);
  for (let i = 0; i < 60; i++) await a.commit([{ key: `big/${i}`, value }]);
  assert.equal((await a.list('big/')).length, 60);
  using seen = await Follower.of(a, 'big/');
  assert.equal(seen.now.size, 60);
  const many = Array.from({ length: 129 }, (_, i) => ({ key: `many/${i}`, value: '1' }));
  await assert.rejects(a.commit(many), /128/);
  assert.equal(await a.commit(many.slice(1)), true);
});

test('few keys: after a gap all is read, and known whether etcd may have lost what is missing', async (t) => {
  const etcd = await start(t);
  const a = await connect(t, etcd);
  for (const key of ['k/stays', 'k/goes', 'k/newest']) await a.commit([{ key, value: '1' }]);
  using seen = await Follower.of(a, 'k/');
  await etcd.ctl('snapshot', 'save', join(etcd.folder, 'backup'));
  await a.commit([{ key: 'k/lost', value: '1' }]);
  await seen.until('the newest', () => seen.now.has('k/lost'));
  await etcd.kill('SIGKILL');
  await assert.rejects(a.get('k/goes'));
  etcd.launch();
  await etcd.ctl('del', '/weavets/k/goes');
  await seen.until('the deletion', () => !seen.now.has('k/goes'));
  assert.deepEqual([...seen.now.keys()], ['k/lost', 'k/newest', 'k/stays']);
  if (seen.resets > 1) assert.equal(seen.continued, true);

  const { resets } = seen;
  await etcd.kill('SIGKILL');
  await etcd.restore(join(etcd.folder, 'backup'));
  etcd.launch();
  await seen.until('a reset', () => seen.resets > resets);
  assert.equal(seen.continued, false);
  assert.deepEqual([...seen.now.keys()], ['k/goes', 'k/newest', 'k/stays']);
});

test('many keys: after a gap a watch resumes; if history differs it reads everything again', async (t) => {
  const etcd = await start(t);
  const a = await connect(t, etcd);
  const keys = Array.from({ length: 10_500 }, (_, i) => `k/${i}`);
  for (let i = 0; i < keys.length; i += 100)
    await a.commit(keys.slice(i, i + 100).map((key) => ({ key, value: '1' })));
  using seen = await Follower.of(a, 'k/');
  assert.equal(seen.now.size, 10_500, 'two pages');
  await etcd.kill('SIGKILL');
  await assert.rejects(a.get('k/0'));
  etcd.launch();
  await etcd.ctl('del', '/weavets/k/0');
  await etcd.ctl('put', '/weavets/k/new', '1');
  await seen.until('what was missed', () => seen.now.has('k/new') && !seen.now.has('k/0'));
  assert.equal(seen.resets, 1);
  await a.commit([{ key: 'k/later', value: '1' }]);
  await seen.until('what comes', () => seen.now.has('k/later'));

  await etcd.ctl('snapshot', 'save', join(etcd.folder, 'backup'));
  await a.commit([{ key: 'k/lost', value: '1' }]);
  await seen.until('the write that will be lost', () => seen.now.has('k/lost'));
  await etcd.kill('SIGKILL');
  await etcd.restore(join(etcd.folder, 'backup'));
  etcd.launch();
  for (let i = 0; i < 5; i++) await etcd.ctl('put', '/weavets/k/other', String(i));
  await seen.until('the other history', () => seen.now.get('k/other') === '4' && !seen.now.has('k/lost'));
  assert.equal(seen.now.size, 10_502);
  assert.equal(seen.continued, false);
});
