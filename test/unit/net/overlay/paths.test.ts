import assert from 'node:assert/strict';
import test from 'node:test';
import type { PathHealth } from '../../../../src/model/path-health.ts';
import { Paths, tickPause } from '../../../../src/net/overlay/paths.ts';

const full = 1450;
const step = 20;

/** Paths over a made-up network, with a clock of their own. */
class Lab {
  /** host to the largest size that comes through to it; 0: none */
  readonly limits = new Map<string, number>();
  /** packets that are lost of every so many, by host */
  readonly lossy = new Map<string, number>();
  readonly asked: { peer: string; size: number }[] = [];
  underlay: PathHealth['underlay'] = 'up';
  changes = 0;
  readonly paths: Paths;
  #now = 0;
  #count = 0;
  #answers: { at: number; peer: string; nonce: string }[] = [];

  constructor(peers: readonly string[], roundTrip = 40) {
    this.paths = new Paths({
      full,
      now: () => this.#now,
      date: () => 1_000_000 + this.#now,
      underlay: () => this.underlay,
      send: (peer, size, nonce) => {
        this.asked.push({ peer, size });
        this.#count++;
        const every = this.lossy.get(peer);
        if (size > (this.limits.get(peer) ?? full) || (every && this.#count % every === 0)) return;
        this.#answers.push({ at: this.#now + roundTrip, peer, nonce });
      },
      changed: () => this.changes++,
    });
    this.paths.setPeers(peers.map((name) => ({ name, nickname: name, address: '10.0.0.2' })));
  }

  /** Lets time pass. */
  async run(ms: number): Promise<void> {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now += step;
      const arrived = this.#answers.filter(({ at }) => at <= this.#now);
      this.#answers = this.#answers.filter(({ at }) => at > this.#now);
      for (const { peer, nonce } of arrived) this.paths.answered(peer, nonce);
      if (this.#now % tickPause === 0) this.paths.tick();
      await new Promise(setImmediate);
    }
  }

  /** Lets time pass in which this process does nothing. */
  stall(ms: number): void {
    this.#now += ms;
    this.paths.tick();
  }

  /** @returns ms that it took */
  async until(what: string, done: () => boolean, ms = 120_000): Promise<number> {
    const start = this.#now;
    while (!done()) {
      if (this.#now - start > ms) assert.fail(`not within ${ms} ms: ${what}`);
      await this.run(step);
    }
    return this.#now - start;
  }

  of(peer: string): PathHealth {
    return this.paths.health().get(peer) ?? assert.fail(`nothing of ${peer}`);
  }

  states(peer: string): string {
    const { small, full: large } = this.of(peer);
    return `${small.state} ${large.state}`;
  }
}

test('a working path is known after the first answer, with its round trip', async () => {
  const lab = new Lab(['a']);
  assert.equal(lab.states('a'), 'unknown unknown');
  await lab.run(1_000);
  assert.equal(lab.states('a'), 'ok ok');
  assert.deepEqual(lab.of('a').small, { state: 'ok', since: 1_000_240, roundTripMs: 40, loss: 0 });
  assert.equal(lab.paths.mtuOf('a'), null);
});

test('a state changes after three outcomes in a row, and says since when', async () => {
  const lab = new Lab(['a']);
  await lab.run(10_000);
  const since = lab.of('a').small.since;
  // One of three is lost, never three in a row of one size.
  lab.lossy.set('a', 3);
  await lab.run(60_000);
  assert.equal(lab.states('a'), 'ok ok');
  assert.equal(lab.of('a').small.since, since);
  assert.ok(lab.of('a').small.loss > 0.1);
  lab.lossy.delete('a');
  lab.limits.set('a', 0);
  const ms = await lab.until('it fails', () => lab.states('a') === 'failing failing');
  assert.ok(ms < 9_000, `${ms} ms`);
  const failed = lab.of('a').small.since;
  assert.ok(failed > since);
  await lab.run(45_000);
  assert.equal(lab.of('a').small.loss, 1);
  assert.equal(lab.of('a').small.since, failed);
  lab.limits.delete('a');
  const back = await lab.until('it is back', () => lab.states('a') === 'ok ok');
  assert.ok(back > 500 && back < 6_000, `${back} ms`);
});

test('where full size fails the largest size that passes is found within 20 s, to the byte, and followed', async () => {
  for (const limit of [1449, 1376, 650, 257]) {
    const lab = new Lab(['a', 'b']);
    await lab.run(10_000);
    lab.limits.set('a', limit);
    const ms = await lab.until('the MTU is found', () => lab.of('a').mtu !== undefined);
    assert.ok(ms < 20_000, `${limit}: ${ms} ms`);
    assert.deepEqual([lab.paths.mtuOf('a'), lab.states('a'), lab.changes], [limit, 'ok failing', 1]);
    assert.deepEqual([lab.paths.mtuOf('b'), lab.paths.narrow()], [null, ['a']]);

    // Narrower yet, and then wider, but not full.
    lab.limits.set('a', limit - 1);
    await lab.until(
      'it follows down',
      () => lab.of('a').mtu === limit - 1,
      limit === 257 ? 20_000 : undefined,
    );
    lab.limits.set('a', full - 1);
    await lab.until('it follows up', () => lab.of('a').mtu === full - 1);
    lab.limits.delete('a');
    const back = await lab.until('it is full again', () => lab.of('a').mtu === undefined);
    assert.ok(back < 10_000, `${back} ms`);
    assert.deepEqual([lab.paths.mtuOf('a'), lab.changes], [null, 4]);
  }
});

test('a path that only loses packets, or is away, is not taken for narrow', async () => {
  const lab = new Lab(['a']);
  await lab.run(10_000);
  lab.lossy.set('a', 2);
  await lab.run(120_000);
  assert.equal(lab.of('a').mtu, undefined);
  lab.lossy.delete('a');
  lab.limits.set('a', 0);
  lab.underlay = 'down';
  await lab.run(60_000);
  assert.deepEqual(
    [lab.states('a'), lab.of('a').mtu, lab.of('a').underlay],
    ['failing failing', undefined, 'down'],
  );
  assert.equal(lab.changes, 0);
});

test('a path that is away for a moment while it is searched is not taken for narrower than it is', async () => {
  const lab = new Lab(['a']);
  await lab.run(10_000);
  lab.limits.set('a', 1000);
  await lab.until('it is searched', () => lab.asked.some(({ size }) => size > 256 && size < 1400));
  lab.limits.set('a', 0);
  await lab.run(1_500);
  lab.limits.set('a', 1000);
  await lab.until('something is found', () => lab.of('a').mtu !== undefined);
  assert.equal(lab.of('a').mtu, 1000);
});

test('answers that arrive while this process is blocked are not losses', async () => {
  const lab = new Lab(['a'], 100);
  await lab.run(10_000);
  for (let i = 0; i < 5; i++) {
    const { length } = lab.asked;
    await lab.until('it is asked', () => lab.asked.length > length);
    lab.stall(5_000);
  }
  await lab.run(2_000);
  assert.equal(lab.of('a').small.loss, 0);
});

test('the MTU that was found stays while the host does not answer at all', async () => {
  const lab = new Lab(['a']);
  await lab.run(10_000);
  lab.limits.set('a', 1000);
  await lab.until('it is found', () => lab.of('a').mtu === 1000);
  lab.limits.set('a', 0);
  await lab.run(120_000);
  assert.equal(lab.of('a').mtu, 1000);
  lab.limits.set('a', 1000);
  await lab.run(10_000);
  assert.deepEqual([lab.of('a').mtu, lab.changes], [1000, 1]);
});

test('many hosts share a fixed rate of probes, and each has its turn', async () => {
  for (const count of [50, 51, 1000]) {
    const peers = Array.from({ length: count }, (_, i) => `p${i}`);
    const lab = new Lab(peers);
    await lab.run(60_000);
    assert.equal(lab.asked.length <= 60 * 50, true, `${count}: ${lab.asked.length} questions in a minute`);
    assert.equal(new Set(lab.asked.map(({ peer }) => peer)).size, count);
    assert.equal(lab.of('p0').sampled, count > 50);
    assert.ok(peers.every((peer) => lab.states(peer) === 'ok ok'));
  }
});

test('when this host itself is behind the bottleneck, all its paths are measured within 30 s', async () => {
  const peers = Array.from({ length: 50 }, (_, i) => `p${i}`);
  const lab = new Lab(peers);
  await lab.run(10_000);
  for (const peer of peers) lab.limits.set(peer, 650);
  const ms = await lab.until('all are found', () => lab.paths.narrow().length === 50);
  assert.ok(ms < 30_000, `${ms} ms`);
  assert.ok(peers.every((peer) => lab.of(peer).mtu === 650));
});

test('a host that is gone, or has a new address, starts afresh', async () => {
  const lab = new Lab(['a', 'b']);
  await lab.run(5_000);
  lab.paths.setPeers([{ name: 'a', nickname: 'a', address: '10.0.0.3' }]);
  assert.deepEqual([...lab.paths.health().keys()], ['a']);
  assert.equal(lab.states('a'), 'unknown unknown');
});
