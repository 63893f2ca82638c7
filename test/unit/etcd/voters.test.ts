import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Candidate, canJoin, nextStep, type SeenMember, type Step } from '../../../src/etcd/voters.ts';

const patience = 600_000;
const learnerPatience = 60_000;

const host = (number: number, ready = true): Candidate => ({
  address: `10.0.0.${number}`,
  ready,
  since: number,
});
const voter = (number: number, silent = 0): SeenMember => ({
  id: `${number}`,
  address: `10.0.0.${number}`,
  learner: false,
  leader: false,
  silent,
});
const learner = (number: number, silent = 0): SeenMember => ({ ...voter(number, silent), learner: true });

function step(hosts: readonly Candidate[], members: readonly SeenMember[], wanted: 3 | 5 = 3): string {
  const next = nextStep({ hosts, members, wanted, patience, learnerPatience });
  return next ? `${next.do} ${next.address}` : 'nothing';
}

test('one host votes alone, the second is a learner, with the third there are three voters', () => {
  const [one, two, three] = [host(1), host(2), host(3)];
  assert.equal(step([one], [voter(1)]), 'nothing');
  assert.equal(step([one, two], [voter(1)]), 'add 10.0.0.2');
  assert.equal(step([one, two], [voter(1), learner(2)]), 'nothing');
  assert.equal(step([one, two, three], [voter(1), learner(2)]), 'promote 10.0.0.2');
  assert.equal(step([one, two, three], [voter(1), voter(2)]), 'add 10.0.0.3');
  assert.equal(step([one, two, three], [voter(1), voter(2), learner(3)]), 'promote 10.0.0.3');
  assert.equal(step([one, two, three, host(4)], [voter(1), voter(2), voter(3)]), 'nothing');
});

test('the step to three voters is undone when the third host is gone', () => {
  assert.equal(step([host(1), host(2), host(3, false)], [voter(1), voter(2)]), 'remove 10.0.0.2');
});

test('a voter that is away for long, or whose host has left, is replaced', () => {
  const hosts = [1, 2, 3, 4].map((number) => host(number));
  assert.equal(step(hosts, [voter(1), voter(2), voter(3, patience)]), 'nothing');
  assert.equal(step(hosts, [voter(1), voter(2), voter(3, patience + 1)]), 'remove 10.0.0.3');
  assert.equal(step(hosts.slice(0, 2), [voter(1), voter(2), voter(3)]), 'remove 10.0.0.3');
  assert.equal(step(hosts, [voter(1), voter(2)]), 'add 10.0.0.3');
});

test('nothing is changed without a majority', () => {
  const hosts = [1, 2, 3, 4].map((number) => host(number));
  assert.equal(step(hosts, [voter(1), voter(2, patience + 1), voter(3, 1)]), 'nothing');
  assert.equal(step(hosts, [voter(1, 1)]), 'nothing');
});

test('a learner is waited for, but not forever', () => {
  const hosts = [1, 2, 3, 4].map((number) => host(number));
  const two = [voter(1), voter(2)];
  assert.equal(step(hosts, [...two, learner(3, learnerPatience)]), 'nothing');
  assert.equal(step(hosts, [...two, learner(3, learnerPatience + 1)]), 'remove 10.0.0.3');
  // With two hosts nobody waits for it.
  assert.equal(step(hosts.slice(0, 2), [voter(1), learner(2, patience)]), 'nothing');
});

test('hosts without an etcd, or whose daemon is away, are passed over', () => {
  assert.equal(step([host(1), host(2, false), host(3), host(4)], [voter(1)]), 'add 10.0.0.3');
});

/** Hosts that come, fail, return and leave, with an etcd that does as it is told. */
class World {
  readonly #hosts = new Map<string, Candidate & { up: boolean }>();
  #members: SeenMember[] = [];
  #ids = 0;
  readonly #wanted: 3 | 5;
  readonly steps: Step[] = [];

  constructor(wanted: 3 | 5) {
    this.#wanted = wanted;
    this.arrive(0);
    this.#join('10.0.0.0', false);
  }

  arrive(number: number): void {
    const address = `10.0.0.${number}`;
    const since = this.#hosts.get(address)?.since ?? this.#hosts.size;
    this.#hosts.set(address, { address, since, ready: true, up: true });
  }

  fail(number: number): void {
    this.#is(number, false);
  }

  back(number: number): void {
    this.#is(number, true);
  }

  /** Its etcd goes on, if it was up, until it hears of it. */
  leave(number: number): void {
    this.#hosts.delete(`10.0.0.${number}`);
  }

  /** @param ms for which those that have failed have not answered since */
  pass(ms: number): void {
    for (const member of this.#members) {
      const up = this.#hosts.get(member.address)?.up ?? member.silent === 0;
      member.silent = up ? 0 : member.silent + ms;
    }
  }

  settle(): void {
    this.pass(1);
    for (let turns = 0; ; turns++) {
      assert.ok(turns < 50, 'it does not come to an end');
      const next = nextStep({
        hosts: [...this.#hosts.values()],
        members: this.#members,
        wanted: this.#wanted,
        patience,
        learnerPatience,
      });
      if (next === undefined) break;
      this.steps.push(next);
      this.#carryOut(next);
      assert.ok(this.#hasMajority(), `no majority after ${JSON.stringify(next)}`);
      assert.ok(this.#members.filter((member) => member.learner).length <= 1, 'etcd takes one learner');
    }
    this.#check();
  }

  #carryOut(step: Step): void {
    assert.ok(this.#hasMajority(), `nobody could carry out ${JSON.stringify(step)}`);
    if (step.do === 'add') {
      assert.ok(this.#hosts.get(step.address)?.up, 'a host that is away');
      this.#join(step.address, true);
    } else if (step.do === 'remove') {
      this.#members = this.#members.filter(({ id }) => id !== step.id);
    } else {
      this.#members = this.#members.map((member) =>
        member.id === step.id ? { ...member, learner: false } : member,
      );
    }
  }

  #check(): void {
    const voters = this.#members.filter((member) => !member.learner);
    if (!this.#hasMajority()) return;
    // While one is only just silent, it is waited for.
    if (this.#members.some(({ silent }) => silent > 0)) return;
    const hosts = [...this.#hosts.values()].filter(({ up, address }) => up || this.#at(address)).length;
    const goal = hosts >= this.#wanted ? this.#wanted : hosts >= 3 ? 3 : 1;
    assert.equal(voters.length, goal, `of ${hosts} hosts`);
    assert.equal(this.#members.length - voters.length, goal === 1 && hosts === 2 ? 1 : 0, 'learners');
  }

  #hasMajority(): boolean {
    const voters = this.#members.filter((member) => !member.learner);
    return voters.filter(({ silent }) => silent === 0).length > voters.length / 2;
  }

  #at(address: string): boolean {
    return this.#members.some((member) => member.address === address);
  }

  #join(address: string, isLearner: boolean): void {
    const id = `${this.#ids++}`;
    this.#members.push({ id, address, learner: isLearner, leader: this.#ids === 1, silent: 0 });
  }

  #is(number: number, up: boolean): void {
    const found = this.#hosts.get(`10.0.0.${number}`);
    if (found) this.#hosts.set(found.address, { ...found, up, ready: up });
  }
}

test('whatever hosts do, a majority remains, changes come to an end, and the number of voters is right', () => {
  const number = fc.integer({ min: 0, max: 6 });
  const event = fc.oneof(
    number.map((at) => (world: World) => world.arrive(at)),
    number.map((at) => (world: World) => world.fail(at)),
    number.map((at) => (world: World) => world.back(at)),
    number.map((at) => (world: World) => world.leave(at)),
    fc.constantFrom(1_000, learnerPatience + 1, patience + 1).map((ms) => (world: World) => world.pass(ms)),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(3 as const, 5 as const),
      fc.array(event, { maxLength: 60 }),
      (wanted, events) => {
        const world = new World(wanted);
        for (const happens of events) {
          happens(world);
          world.settle();
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test('an etcd older than those of all members can be none of them', () => {
  assert.equal(canJoin('3.4.23', ['3.5.16', '3.5.30']), false);
  assert.equal(canJoin('3.5.16', ['3.5.30']), true, 'of the same release');
  assert.equal(canJoin('3.4.23', ['3.4.30', '3.5.16']), true, 'they still go by the oldest');
  assert.equal(canJoin('3.6.1', ['3.5.16']), true);
  assert.equal(canJoin('3.4.23', []), true, 'none answers');
  assert.equal(canJoin('devel', ['3.5.16']), true);
});
