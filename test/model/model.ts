import assert from 'node:assert/strict';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { keyCell, parseCell } from '../../src/ipam/grid.ts';
import { hasCode } from '../../src/lib/errors.ts';
import { Cidr, formatIp, type Ip } from '../../src/model/address.ts';
import { eraRecord, turnRecord } from '../../src/store/records/era.ts';
import { linkRecord } from '../../src/store/records/link.ts';
import type { Entry } from '../../src/store/store.ts';
import { Rows, randomOf, type Snapshot } from '../unit/ipam/blocks-cluster.ts';
import { eventually, Machine, moment, type World } from './machine.ts';

const weights = {
  start: 8,
  claim: 2,
  remove: 3,
  cut: 3,
  heal: 4,
  crash: 2,
  lapse: 2,
  wait: 2,
  snapshot: 3,
  restore: 2,
  replace: 1,
  clone: 1,
  clock: 1,
} as const;
type Action = keyof typeof weights;
const actions = Object.entries(weights).flatMap(([action, weight]) => Array(weight).fill(action) as Action[]);

/** What happens to three hosts. */
export const histories = fc.record({
  seed: fc.nat(),
  prefix: fc.constantFrom(28, 28, 27, 26),
  steps: fc.array(
    fc.record({
      action: fc.constantFrom(...actions),
      host: fc.nat(3),
      pick: fc.nat(511),
      settle: fc.nat(3),
    }),
    { minLength: 10, maxLength: 80 },
  ),
});
export type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;
type Step = History['steps'][number];

const known = ['STORE_UNAVAILABLE', 'IPAM_FULL', 'IPAM_CONFLICT', 'CLUSTER_MISMATCH'] as const;
const names = ['host1', 'host2', 'host3'];

/** Plays a history. @throws when an address is there twice at any moment, or anything is lost in the end */
export async function play({ seed, prefix, steps }: History): Promise<Set<Action>> {
  const model = new Model(seed, prefix);
  const { now } = Date;
  try {
    await model.play(steps);
  } finally {
    Date.now = now;
  }
  return model.done;
}

class Model {
  /** actions that had an effect */
  readonly done = new Set<Action>();
  readonly #world: World;
  readonly #machines: Machine[] = [];
  readonly #clones = new Set<Machine>();
  #snapshot: Snapshot | undefined;
  #count = 0;
  #over = false;

  constructor(seed: number, prefix: number) {
    const range = Cidr.parse(`10.32.0.0/${prefix}`);
    this.#world = { shared: new Rows(), range, random: randomOf(seed) };
    for (const name of names) this.#machines.push(this.#machine(name));
  }

  async play(steps: readonly Step[]): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.launch()));
    await eventually('all are registered', () => names.every((name) => this.#row(`host/${name}`)));
    const watching = this.#watch();
    const playing = this.#playAll(steps).finally(() => {
      this.#over = true;
      for (const machine of this.#machines) machine.crash();
    });
    await Promise.all([watching, playing]);
  }

  async #playAll(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step);
    await this.#drain();
  }

  /** Looks in every turn of the event loop. */
  async #watch(): Promise<void> {
    for (; !this.#over; await turn()) {
      assertDisjoint(
        'given',
        this.#machines.map(({ containers }) => [...containers.values()].flat()),
      );
      // What a copied disk says is believed by nobody.
      const sound = this.#machines.filter((machine) => !this.#clones.has(machine) || machine.daemon.up);
      assertDisjoint(
        'owned',
        sound.map((machine) => machine.owned()),
      );
    }
  }

  async #step(step: Step): Promise<void> {
    const machine = this.#machines[step.host % this.#machines.length] as Machine;
    const done = this.#act(machine, step).catch((error: unknown) => {
      if (!known.some((code) => hasCode(error, code))) throw error;
    });
    machine.pending.push(done);
    if (['start', 'claim', 'remove'].includes(step.action)) {
      if (step.settle === 0) await Promise.race([done, delay(20 * moment)]);
      else await turn();
    } else await done;
  }

  async #act(machine: Machine, { action, pick }: Step): Promise<void> {
    const { shared, range } = this.#world;
    const { shared: view } = machine.daemon;
    if (action === 'start') return this.#start(machine, 1 + (pick % 4));
    if (action === 'claim') {
      const ip = range.first + 1 + (pick % (range.size - 2));
      const owner = this.#owner();
      return machine.start(owner, (allocator) => allocator.claim(owner, new Cidr(ip, range.prefix)));
    }
    if (action === 'remove') {
      const owners = [...machine.containers.keys()];
      const owner = owners[pick % Math.max(owners.length, 1)];
      return owner === undefined ? undefined : machine.remove(owner);
    }
    if (action === 'cut') view.cut = true;
    if (action === 'heal') view.heal();
    if (action === 'lapse' && view.cut) shared.lapse(view);
    if (action === 'crash') {
      machine.crash();
      await machine.launch();
    }
    if (action === 'wait') await delay(pick % (5 * moment));
    if (action === 'clock') {
      const { now } = performance;
      const jump = (pick - 256) * 3_600_000;
      Date.now = () => 1.8e12 + now.call(performance) + jump;
    }
    if (action === 'snapshot') this.#snapshot = shared.snapshot;
    if (action === 'restore') return this.#restore(pick);
    if (action === 'replace') return this.#replace(machine, pick);
    if (action === 'clone') return this.#clone(machine, pick);
    this.done.add(action);
  }

  #owner(): string {
    return `c${this.#count++}`;
  }

  async #start(machine: Machine, count: number): Promise<void> {
    const owners = Array.from({ length: count }, () => this.#owner());
    const { range } = this.#world;
    const started = await Promise.allSettled(
      owners.map((owner) => machine.start(owner, (allocator) => allocator.allocate(owner, range))),
    );
    for (const result of started) if (result.status === 'rejected') throw result.reason;
    this.done.add('start');
  }

  /**
   * The store goes back. What it loses of a host that is away nobody can know who did not hear of it; so that is not
   * tried. Until the hosts that live have told what they have, they live; they start containers meanwhile.
   */
  async #restore(pick: number): Promise<void> {
    const { shared } = this.#world;
    const snapshot = this.#snapshot;
    await this.#quiet();
    if (!snapshot || !this.#machines.every((machine) => this.#isKnown(machine, snapshot))) return;
    shared.restore(snapshot);
    const connected = this.#machines.filter(({ serves, daemon }) => serves && !daemon.shared.cut);
    for (const machine of connected) machine.pending.push(this.#startQuietly(machine, 1 + (pick % 3)));
    for (let i = 0; i < 60; i++) await turn();
    // A lease that came back with the snapshot ends if nobody has it.
    for (const { lease } of [...shared.rows.values()]) if (lease?.dead || lease?.cut) shared.lapse(lease);
    await eventually('all have told what they have', () => this.#isSettled(connected));
    this.done.add('restore');
  }

  /**
   * What has been told is heard, and is on the disk of whose it is: of a block that was taken in the last moment only its
   * owner knows, who has yet to see that the store was set back when another takes it. Not for ever: hosts go on.
   */
  async #quiet(): Promise<void> {
    const { shared } = this.#world;
    const seen = () => JSON.stringify(shared.list('block/'));
    let before = seen();
    for (let quiet = 0, all = 0; quiet < 30 && all < 1_000; all++) {
      await turn();
      const now = seen();
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
  }

  async #startQuietly(machine: Machine, count: number): Promise<void> {
    await this.#start(machine, count).catch((error: unknown) => {
      if (!known.some((code) => hasCode(error, code))) throw error;
    });
  }

  /** The snapshot says what a machine owns, or somebody who is there does. */
  #isKnown(machine: Machine, { rows }: Snapshot): boolean {
    if (machine.serves && !machine.daemon.shared.cut) return true;
    const parts = [...rows].flatMap(([key, { value }]) => {
      const cell = keyCell(key);
      return cell === undefined ? [] : parseCell(cell, value);
    });
    const heard = this.#machines
      .filter((other) => other.serves && !other.daemon.shared.cut)
      .flatMap(({ daemon }) => daemon.blocks?.owners() ?? []);
    return machine
      .owned()
      .every((ip) =>
        [parts, heard].some((all) =>
          all.some(({ first, last, peer }) => first <= ip && ip <= last && peer === machine.name),
        ),
      );
  }

  #isSettled(machines: readonly Machine[]): boolean {
    const era = eraRecord.parse(this.#row('era/now') ?? none);
    if (typeof era === 'string' || !era.value.settled) return false;
    return machines.every(({ name, serves }) => {
      const turn = turnRecord.parse(this.#row(`turn/${name}`) ?? none);
      if (!serves || typeof turn === 'string') return true;
      return turn.value.era === era.value.id && turn.value.step === 'told';
    });
  }

  /** The machine is destroyed, with its containers; another takes its name, at its address or after rmpeer. */
  async #replace(machine: Machine, pick: number): Promise<void> {
    const { name, address } = machine;
    if (this.#clones.has(machine)) return;
    this.#destroy(machine);
    // Its name is free for a while, and who has it last, has it.
    for (const clone of this.#clones) if (clone.name === name) this.#destroy(clone);
    const other = this.#machines.find(({ serves, daemon }) => serves && !daemon.shared.cut);
    let moves = false;
    if (pick % 2 === 0 && other) {
      // What was before is another cluster, as far as this name goes.
      this.#snapshot = undefined;
      moves = await this.#remove(name, other);
    }
    const next = this.#machine(name, moves ? undefined : { address });
    this.#machines.push(next);
    await next.launch();
    this.done.add('replace');
  }

  /** @returns false if that did not work, as when the store is away */
  async #remove(name: string, { daemon }: Machine): Promise<boolean> {
    try {
      await daemon.cluster?.forget(name);
      await daemon.blocks?.removePeer(name);
      return this.#row(`host/${name}`) === undefined;
    } catch (error) {
      if (hasCode(error, 'STORE_UNAVAILABLE')) return false;
      throw error;
    }
  }

  /** A copy of a machine with all that is on its disk; it is launched while etcd is there, or is not. */
  async #clone(machine: Machine, pick: number): Promise<void> {
    // A name that nobody has registered yet is whose comes first, and that may be the copy.
    if (!this.#row(`host/${machine.name}`)) return;
    for (const clone of this.#clones) this.#destroy(clone);
    const disk = new Rows();
    disk.restore(machine.disk.snapshot);
    const clone = this.#machine(machine.name, { disk });
    this.#clones.add(clone);
    this.#machines.push(clone);
    await clone.launch(pick % 2 === 0);
    this.done.add('clone');
  }

  #destroy(machine: Machine): void {
    machine.crash();
    machine.containers.clear();
    this.#clones.delete(machine);
    this.#machines.splice(this.#machines.indexOf(machine), 1);
  }

  #machine(name: string, fields: { address?: Ip; disk?: Rows } = {}): Machine {
    const number = ++this.#count;
    const address = `10.250.${number >> 8}.${number & 255}` as Ip;
    return new Machine(this.#world, { name, id: `id${number}`, address, ...fields });
  }

  #row(key: string): Entry | undefined {
    const row = this.#world.shared.rows.get(key);
    return row && { key, ...row };
  }

  /** All is well again: every container has what it was given, all know of it, and what is free can be used. */
  async #drain(): Promise<void> {
    const { shared, range } = this.#world;
    for (const clone of this.#clones) this.#destroy(clone);
    for (const { daemon } of this.#machines) {
      daemon.shared.flaky = false;
      daemon.shared.heal();
    }
    await eventually('what was given up is over', () => shared.late === 0);
    for (const { lease } of [...shared.rows.values()]) if (lease?.dead) shared.lapse(lease);
    for (const machine of this.#machines) {
      if (machine.daemon.up) continue;
      machine.crash();
      await machine.launch(false);
      machine.daemon.shared.flaky = false;
    }
    await eventually('all have their names', () => this.#machines.every(({ serves }) => serves));
    await Promise.all(this.#machines.flatMap(({ pending }) => pending));
    await eventually('blocks may change hands', () => this.#isSettled(this.#machines));
    for (const { name, containers, daemon } of this.#machines) {
      for (const [owner, ips] of containers) {
        const owned = daemon.allocator?.owned(owner).map(({ ip }) => ip);
        assert.deepEqual(owned, ips, `${owner} on ${name} has what it was given`);
      }
    }
    const links = () =>
      shared
        .list(linkRecord.prefix)
        .map(({ key }) => key.split('/').at(-1))
        .sort();
    const all = this.#machines.flatMap(({ containers }) => [...containers.keys()]).sort();
    await eventually('the store tells of all containers', () => links().join() === all.join());

    const held = this.#machines.flatMap(({ daemon: { allocator } }) =>
      (allocator?.owners() ?? []).flatMap((owner) => allocator?.owned(owner) ?? []),
    );
    const free = range.size - 2 - held.length;
    const [first] = this.#machines as [Machine];
    for (let i = 0; i < free; i++) await this.#startWhenSettled(first, `last${i}`);
    await assert.rejects(this.#startWhenSettled(first, 'one more'), (error) => hasCode(error, 'IPAM_FULL'));
  }

  /** A host that has just come back may notice only now what the store has lost. */
  async #startWhenSettled(machine: Machine, owner: string): Promise<void> {
    for (;;) {
      try {
        return await machine.start(owner, (allocator) => allocator.allocate(owner, this.#world.range));
      } catch (error) {
        if (!hasCode(error, 'STORE_UNAVAILABLE')) throw error;
        await eventually('blocks may change hands', () => this.#isSettled(this.#machines));
        await delay(moment);
      }
    }
  }
}

const none = { key: '', value: '' };

function assertDisjoint(what: string, sets: number[][]): void {
  const seen = new Set<number>();
  for (const ip of sets.flat()) {
    assert.ok(!seen.has(ip), `${what}: ${formatIp(ip)} twice`);
    seen.add(ip);
  }
}
