import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry, Store } from '../../../src/store/store.ts';

/** The suite that every kind of store passes. `open` gives an empty one, or the data of an earlier one with that name. */
export function storeContract(kind: string, open: (name: string) => Promise<Store>): void {
  test(`${kind}: what was committed is read back, also by the next one`, async () => {
    const store = await open('durable');
    assert.equal(await store.commit([{ key: 'a/1', value: 'x' }]), true);
    assert.equal((await store.get('a/1'))?.value, 'x');
    await store.close();
    const again = await open('durable');
    assert.equal((await again.get('a/1'))?.value, 'x');
    assert.equal(await again.get('a/2'), undefined);
    await again.close();
  });

  test(`${kind}: list gives a prefix and nothing else, by key`, async () => {
    const store = await open('list');
    await store.commit(['b/2', 'a', 'b/1', 'b0', 'b'].map((key) => ({ key, value: key })));
    assert.deepEqual(
      (await store.list('b/')).map(({ key }) => key),
      ['b/1', 'b/2'],
    );
    await store.close();
  });

  test(`${kind}: a commit whose expectation fails writes nothing of it`, async () => {
    const store = await open('cas');
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
    await store.close();
  });

  test(`${kind}: of many rivals for one key exactly one wins`, async () => {
    const store = await open('race');
    const wins = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.commit([{ key: 'k', value: String(i), expect: 0 }])),
    );
    assert.equal(wins.filter(Boolean).length, 1);
    await store.close();
  });

  test(`${kind}: a watcher gets what is there, then each change in order, until its signal`, async () => {
    const store = await open('watch');
    await store.commit([{ key: 'w/0', value: 'old' }]);
    const seen: string[] = [];
    const stop = new AbortController();
    let told = () => {};
    await store.watch(
      'w/',
      {
        reset: (entries) => seen.push(`reset ${entries.map((entry) => `${entry.key}=${entry.value}`)}`),
        change: ({ key, value }) => {
          seen.push(`${key}=${value}`);
          told();
        },
      },
      stop.signal,
    );
    const changes = new Promise<void>((resolve) => {
      told = () => {
        if (seen.length === 4) resolve();
      };
    });
    await store.commit([{ key: 'w/1', value: '1' }]);
    await store.commit([{ key: 'elsewhere', value: '1' }]);
    await store.commit([{ key: 'w/1', value: '2' }]);
    await store.commit([{ key: 'w/1', value: null }]);
    await changes;
    stop.abort();
    await store.commit([{ key: 'w/2', value: '1' }]);
    assert.deepEqual(seen, ['reset w/0=old', 'w/1=1', 'w/1=2', 'w/1=null']);
    await store.close();
  });
}
