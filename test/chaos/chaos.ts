import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/lib/errors.ts';
import { Underlay } from '../support/host.ts';
import { Checks, probeLink } from './checks.ts';
import { type Fault, faults } from './faults.ts';
import { Cluster } from './machine.ts';
import type { Outcome } from './outcome.ts';
import { slowness } from './pace.ts';
import { Random } from './random.ts';
import { Workload } from './workload.ts';

/** s after which it never will be */
const lastWait = 90;

/** Which faults, and what is expected after them. */
export interface ChaosOptions {
  seed: string;
  /** of the seed's faults */
  first: number;
  last: number;
  /** s that everything may take to be right after a fault is healed */
  limit?: number;
  /** the limit is meant for an idle machine: where that is busy, it is as many times longer as other work takes */
  busy?: boolean;
}

/** Makes a seed's faults, one after the other, on a cluster of their own, up to one from which it does not recover. */
export async function* outcomesOf(options: ChaosOptions): AsyncGenerator<Outcome> {
  await using cluster = await Cluster.create(await Underlay.create());
  const chaos = await Chaos.create(cluster, options);
  for (let step = options.first; step <= options.last; step++) {
    const outcome = await chaos.step(step);
    yield outcome;
    if (outcome.broken) return;
  }
}

/** Makes faults on a cluster whose containers come and go, one after the other. */
class Chaos {
  readonly #cluster: Cluster;
  readonly #checks: Checks;
  readonly #seed: string;
  readonly #limit: number;
  readonly #busy: boolean;
  /** A seed's first faults: each kind once, in an order of its own. */
  readonly #once: readonly Fault[];

  private constructor(cluster: Cluster, checks: Checks, { seed, limit = 10, busy = false }: ChaosOptions) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#seed = seed;
    this.#limit = limit;
    this.#busy = busy;
    this.#once = new Random(`${seed}/once`).shuffle(faults);
  }

  /** @throws when things are not right from the beginning */
  static async create(cluster: Cluster, options: ChaosOptions): Promise<Chaos> {
    const workloads = workloadsOn(cluster, new Random(options.seed));
    await Promise.all(workloads.map((workload) => workload.fill()));
    return new Chaos(cluster, await Checks.create(cluster.machines), options);
  }

  /** What a step does follows from the seed and its number alone. */
  async step(step: number): Promise<Outcome> {
    const cluster = this.#cluster;
    const random = new Random(`${this.#seed}/${step}`);
    const drawn = random.pick(faults);
    const fault = this.#once[step - 1] ?? drawn;
    const machine = random.pick(cluster.machines);
    // Now and then longer than a host's lease.
    const lasts = random.next() < 0.05 ? 12_000 : random.between(300, 2_000);
    const target = { cluster, machine, random };
    const workloads = workloadsOn(cluster, random);
    for (const workload of workloads) workload.begin();
    await delay(random.between(0, 500));
    const began = performance.now();
    const failures = await attempt('cannot be made', () => fault.inject(target));
    await delay(Math.max(lasts, fault.least ?? 0));
    failures.push(...(await attempt('cannot be healed', () => fault.heal(target))));
    const healed = performance.now();
    await Promise.all(workloads.map((workload) => workload.end()));
    const sum = (what: 'asked' | 'failed') => workloads.reduce((total, each) => total + each[what], 0);
    const found = await this.#untilRight(workloads, healed);
    return {
      step,
      fault: fault.name,
      machine: machine.name,
      lasted: (healed - began) / 1000,
      ...found,
      asked: sum('asked'),
      failed: sum('failed'),
      violations: [...failures, ...found.violations],
    };
  }

  /** Looks until everything is right, or will not be. */
  async #untilRight(workloads: readonly Workload[], since: number) {
    const seconds = () => (performance.now() - since) / 1000;
    const wrongs = new Wrongs();
    const paces: number[] = [];
    for (;;) {
      paces.push(await slowness());
      const began = seconds();
      // It takes seconds on a busy machine: what counts is when it began.
      const wrong = await this.#look(workloads);
      wrongs.add(wrong, began);
      const broken = began > lastWait;
      if (wrong.length > 0 && !broken) continue;
      const slow = paces.reduce((total, each) => total + each) / paces.length;
      const limit = Math.min(this.#limit * (this.#busy ? slow : 1), lastWait);
      return { right: seconds(), slow, violations: began > limit ? wrongs.after(limit) : [], broken };
    }
  }

  /** There are containers everywhere, and they are as they should be. */
  async #look(workloads: readonly Workload[]): Promise<string[]> {
    const refused = await Promise.all(
      workloads.map((workload) => attempt('no container starts', () => workload.fill())),
    );
    return refused.flat().length > 0 ? refused.flat() : this.#checks.complaints();
  }
}

/** What was wrong, and from when until when, s. */
class Wrongs {
  readonly #seen = new Map<string, { first: number; last: number }>();

  add(wrong: readonly string[], now: number): void {
    for (const text of wrong) this.#seen.set(text, { first: this.#seen.get(text)?.first ?? now, last: now });
  }

  /** What was wrong after that time, as far as it lasted: processes come and go, for one. */
  after(limit: number): string[] {
    const late = [...this.#seen].filter(([, { last }]) => last > limit);
    const lasting = late.filter(([, { first, last }]) => first <= limit || last - first > 2);
    // A tool at its work, on a machine too busy to look in time.
    const passing = ([text]: [string, unknown]) =>
      text.includes(': process left behind: ') || probeLink.test(text);
    return (lasting.length > 0 ? lasting : late.filter((each) => !passing(each))).map(
      ([text, { first, last }]) => `${text} (from ${first.toFixed(1)} to ${last.toFixed(1)} s)`,
    );
  }
}

async function attempt(what: string, deed: () => Promise<void>): Promise<string[]> {
  try {
    await deed();
    return [];
  } catch (error) {
    return [`${what}: ${messageOf(error)}`];
  }
}

const workloadsOn = ({ machines }: Cluster, random: Random) =>
  machines.map((machine) => new Workload(machine, new Random(`${random.next()}${machine.name}`)));
