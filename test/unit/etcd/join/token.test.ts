import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Attempts } from '../../../../src/etcd/join/attempts.ts';
import {
  fingerprintOf,
  formatToken,
  hashOf,
  newSecret,
  parseToken,
} from '../../../../src/etcd/join/token.ts';
import { Tokens } from '../../../../src/etcd/join/tokens.ts';
import { silent } from '../../../../src/lib/log.ts';
import { LmdbStore } from '../../../../src/store/lmdb.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-tokens-'));
after(() => rmSync(folder, { recursive: true }));

test('a token is parsed as it was written, and nothing else is accepted', () => {
  for (const bytes of [Buffer.alloc(1), Buffer.alloc(32, 0xff), Buffer.from('any certificate')]) {
    const token = { fingerprint: fingerprintOf(bytes), secret: newSecret() };
    assert.deepEqual(parseToken(formatToken(token)), token);
  }
  const good = formatToken({ fingerprint: fingerprintOf(Buffer.alloc(1)), secret: newSecret() });
  for (const bad of ['', good.slice(1), `${good}0`, good.toUpperCase(), good.replace('WVTS-1', 'WVTS-2')]) {
    assert.throws(() => parseToken(bad), { code: 'USAGE', message: /no token/ });
  }
  // What is refused may be a token with a typing error: it must not come into a log.
  assert.throws(
    () => parseToken(`${good}x`),
    (error: Error) => !error.message.includes(good.slice(10, 30)),
  );
});

test('a token is valid until it expires or is revoked; only its hash is kept', async () => {
  let now = 1_000_000;
  const store = LmdbStore.open(join(folder, 'tokens'));
  const tokens = new Tokens(store, silent, () => now);
  const [short, long] = [await tokens.create(60_000), await tokens.create(3_600_000)];
  assert.equal(await tokens.check(short), 'good');
  assert.equal(await tokens.check(newSecret()), 'unknown');
  assert.equal(await tokens.check('../settings'), 'unknown');
  for (const { key, value } of await store.list('')) {
    assert.ok(!key.includes(short) && !value.includes(short), 'the secret is in the store');
  }
  assert.ok(await store.get(`join/${hashOf(short)}`));
  now += 60_001;
  assert.equal(await tokens.check(short), 'expired');
  assert.equal(await tokens.check(long), 'good');
  assert.equal(await tokens.revoke(long), true);
  assert.equal(await tokens.check(long), 'unknown');
  assert.equal(await tokens.revoke(long), false);
  const third = await tokens.create(3_600_000);
  assert.equal(await tokens.revokeAll(), 2);
  assert.equal(await tokens.check(third), 'unknown');
  await tokens.create(1);
  now += 86_400_002;
  const last = await tokens.create(1);
  assert.deepEqual(
    (await store.list('join/')).map(({ key }) => key),
    [`join/${hashOf(last)}`],
  );
  await store.close();
});

test('ten wrong attempts in a minute are enough', () => {
  let now = 0;
  const attempts = new Attempts(() => now);
  for (let i = 0; i < 10; i++) {
    attempts.check('10.0.0.1');
    attempts.failed('10.0.0.1');
  }
  assert.throws(() => attempts.check('10.0.0.1'), { code: 'JOIN_REFUSED', message: /too many/ });
  attempts.check('10.0.0.2');
  now += 60_001;
  attempts.check('10.0.0.1');
  // Nor does anyone fill the memory with addresses.
  for (let i = 0; i < 10_000; i++) attempts.failed(`host${i}`);
  assert.throws(() => attempts.check('10.9.9.9'), { code: 'JOIN_REFUSED' });
  now += 60_001;
  assert.throws(() => attempts.check('10.9.9.9'), { code: 'JOIN_REFUSED' });
  attempts.check('10.9.9.9');
});
