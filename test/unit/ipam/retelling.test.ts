/** What hosts that look for an era may meet: a lost answer, an era that begins meanwhile. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Allocator } from '../../../src/ipam/allocator.ts';
import { Blocks } from '../../../src/ipam/blocks.ts';
import { hasCode, WeaveError } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { Cidr } from '../../../src/model/address.ts';
import { eraRecord, turnRecord } from '../../../src/store/records/era.ts';
import type { Entry, Write } from '../../../src/store/store.ts';
import { until } from '../../support/until.ts';
import { Rows, View } from './blocks-cluster.ts';

const range = Cidr.parse('10.32.0.0/24');
const eraKey = eraRecord.keyOf('now');
const quick = (n: number) => Math.min(1, n - 1);

/** A way to the store whose answers on the era can be held up, and whose next era can fail to begin. */
class Way extends View {
  held: Promise<void> | undefined;
  asked = false;
  failing = false;
  override flaky = false;

  override async get(key: string): Promise<Entry | undefined> {
    const entry = await super.get(key);
    if (key === eraKey && this.held) {
      this.asked = true;
      await this.held;
    }
    return entry;
  }

  override async commit(writes: readonly Write[]): Promise<boolean> {
    if (this.failing && writes.some(({ key, value }) => key === eraKey && value !== undefined)) {
      this.failing = false;
      throw new WeaveError('STORE_UNAVAILABLE', 'no answer');
    }
    return super.commit(writes);
  }
}

async function start(t: TestContext, rows: Rows, peer: string) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const shared = new Way(rows, quick);
  const local = new View(new Rows(), quick);
  local.flaky = false;
  const blocks = await Blocks.start({
    shared,
    local,
    peer,
    machine: peer,
    range,
    signal: stop.signal,
    logger: silent,
    conditions: { update: () => {} },
    quarantine: 20,
    askTimeout: 50,
  });
  const fields = { range, defaultSubnet: range, store: local, space: blocks, logger: silent };
  const allocator = await Allocator.load(fields);
  await blocks.attach(allocator);
  const told = () => {
    const key = turnRecord.keyOf(peer);
    const record = turnRecord.parse({ key, value: rows.rows.get(key)?.value ?? '' });
    return typeof record === 'string' || record.value.step !== 'told' ? undefined : record.value.era;
  };
  await until(`${peer} has told what it has`, () => told() !== undefined);
  return { shared, blocks, allocator, told };
}

test('an era that begins while a host looks for it is not missed', async (t) => {
  const rows = new Rows();
  const { shared, blocks, told } = await start(t, rows, 'a');
  let answer = () => {};
  shared.held = new Promise((resolve) => {
    answer = resolve;
  });
  const looking = blocks.removePeer('b').catch(() => {});
  await until('the host looks', () => shared.asked);
  shared.held = undefined;
  assert.ok(rows.apply([eraRecord.write('now', { number: 2, id: 'next', settled: false })]));
  // The host hears of it.
  for (let i = 0; i < 20; i++) await turn();
  answer();
  await looking;
  await until('the host has told in the next era', () => told() === 'next', 30_000);
});

test('what a store that was set back has lost of a host that is away stays known when no era can be begun at once', async (t) => {
  const rows = new Rows();
  const a = await start(t, rows, 'a');
  const b = await start(t, rows, 'b');
  const { snapshot } = rows;
  const wanted = Cidr.parse('10.32.0.200/24');
  await b.allocator.claim('mine', wanted);
  const isHeard = () => a.blocks.owners().some(({ first, peer }) => first === wanted.ip && peer === 'b');
  await until('the other has heard of it', isHeard);
  b.shared.cut = true;
  a.shared.failing = true;
  rows.restore(snapshot);
  await until('the host has tried to begin an era', () => !a.shared.failing);
  for (;;) {
    const refusal = await a.allocator.claim('theirs', wanted).catch((error: unknown) => error);
    if (hasCode(refusal, 'IPAM_CONFLICT')) break;
    assert.ok(hasCode(refusal, 'STORE_UNAVAILABLE'), `given twice: ${refusal}`);
    await delay(5);
  }
});
