import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Entry, Store } from '../../../src/store/store.ts';
import { until } from '../../support/until.ts';

/** The suite that every kind of store passes. `open` gives an empty one, or the data of an earlier one with that name. */
export function storeContract(kind: string, make: (name: string) => Promise<Store>): void {
  /** Ends with the test, passed or failed: an open one may keep its process alive. */
  const open = async (t: TestContext, name: string) => {
    const store = await make(name);
    t.after(() => store.close());
    return store;
  };

  test(`${kind}: what was committed is read back, also by the next one`, async (t) => {
    const store = await open(t, 'durable');
    assert.equal(await store.commit([{ key: 'a/1', value: 'x' }]), true);
    assert.equal((await store.get('a/1'))?.value, 'x');
    await store.close();
    const again = await open(t, 'durable');
    assert.equal((await again.get('a/1'))?.value, 'x');
    assert.equal(await again.get('a/2'), undefined);
  });

  test(`${kind}: list gives a prefix and nothing else, by key`, async (t) => {
    const store = await open(t, 'list');
    await store.commit(['b/2', 'a', 'b/1', 'b0', 'b'].map((key) => ({ key, value: key })));
    assert.deepEqual(
      (await store.list('b/')).map(({ key }) => key),
      ['b/1', 'b/2'],
    );
  });

  test(`${kind}: a commit whose expectation fails writes nothing of it`, async (t) => {
    const store = await open(t, 'cas');
    assert.equal(await store.commit([{ key: 'k', value: '1', expect: 0 }]), true);
    assert.equal(
      await store.commit([
        { key: 'other', value: '1' },
        { key: 'k', value: '2', expect: 0 },
      ]),
      false,
    );
    assert.equal(await store.get('other'), undefined);
    const { revision } = (await store.get('k')) as Entry;
    assert.equal(await store.commit([{ key: 'k', value: '2', expect: revision }]), true);
    assert.equal(await store.commit([{ key: 'k', value: '3', expect: revision }]), false);
    assert.equal((await store.get('k'))?.value, '2');
    const now = (await store.get('k')) as Entry;
    const expected = { expect: now.revision, was: now.value };
    const third = { key: 'third', value: '1' };
    assert.equal(await store.commit([{ key: 'k', ...expected, was: '1' }, third]), false);
    assert.equal(await store.commit([{ key: 'none', expect: 0 }, { key: 'k', ...expected }, third]), true);
    assert.deepEqual([await store.get('k'), await store.get('none')], [now, undefined], 'only compared');
    assert.equal(await store.commit([{ key: 'k', value: null }]), true);
    assert.equal(await store.commit([{ key: 'k', value: 'new', expect: 0 }]), true);
  });

  test(`${kind}: of many rivals for one key exactly one wins`, async (t) => {
    const store = await open(t, 'race');
    const wins = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.commit([{ key: 'k', value: String(i), expect: 0 }])),
    );
    assert.equal(wins.filter(Boolean).length, 1);
  });

  test(`${kind}: a watcher gets what is there, then each change in order, until its signal`, async (t) => {
    const store = await open(t, 'watch');
    await store.commit([{ key: 'w/0', value: 'old' }]);
    const seen: string[] = [];
    const stop = new AbortController();
    await store.watch(
      'w/',
      {
        reset: (entries) => seen.push(`reset ${entries.map((entry) => `${entry.key}=${entry.value}`)}`),
        change: ({ key, value }) => void seen.push(`${key}=${value}`),
      },
      stop.signal,
    );
    await store.commit([{ key: 'w/1', value: '1' }]);
    await store.commit([{ key: 'elsewhere', value: '1' }]);
    await store.commit([{ key: 'w/1', value: '2' }]);
    await store.commit([{ key: 'w/1', value: null }]);
    await until('all has been told', () => seen.length === 4);
    stop.abort();
    await store.commit([{ key: 'w/2', value: '1' }]);
    assert.deepEqual(seen, ['reset w/0=old', 'w/1=1', 'w/1=2', 'w/1=null']);
  });
}
