import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/lib/errors.ts';
import { Checks } from './checks.ts';
import { faults } from './faults.ts';
import type { Cluster } from './machine.ts';
import { Random } from './random.ts';
import { Workload } from './workload.ts';

/** s after which it never will be */
const lastWait = 90;

/** A fault that was made, and what came of it. */
export interface Outcome {
  step: number;
  fault: string;
  machine: string;
  /** s from the fault to its healing, and from there until everything was right */
  lasted: number;
  right: number;
  /** what was asked of the proxies meanwhile, and what of that failed */
  asked: number;
  failed: number;
  /** none: all is well */
  violations: string[];
  /** true when it never became right: nothing after it says anything */
  broken: boolean;
}

/** Makes faults on a cluster whose containers come and go, one after the other. */
export class Chaos {
  readonly #cluster: Cluster;
  readonly #checks: Checks;
  readonly #seed: string;
  readonly #limit: number;

  private constructor(cluster: Cluster, checks: Checks, seed: string, limit: number) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#seed = seed;
    this.#limit = limit;
  }

  /**
   * @param limit s that everything may take to be right after a fault is healed
   * @throws when things are not right from the beginning
   */
  static async create(cluster: Cluster, seed: string, limit: number): Promise<Chaos> {
    const workloads = workloadsOn(cluster, new Random(seed));
    await Promise.all(workloads.map((workload) => workload.fill()));
    const chaos = new Chaos(cluster, await Checks.create(cluster.machines), seed, limit);
    const { violations } = await chaos.#untilRight(workloads, performance.now());
    if (violations.length > 0) throw new Error(`wrong before any fault: ${violations.join('; ')}`);
    return chaos;
  }

  /** What a step does follows from the seed and its number alone. */
  async step(step: number): Promise<Outcome> {
    const cluster = this.#cluster;
    const random = new Random(`${this.#seed}/${step}`);
    const fault = random.pick(faults);
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
    for (;;) {
      const began = seconds();
      // It takes seconds on a busy machine: what counts is when it began.
      const wrong = await this.#look(workloads);
      wrongs.add(wrong, began);
      const broken = began > lastWait;
      if (wrong.length === 0 || broken) {
        const right = seconds();
        return { right, violations: began > this.#limit ? wrongs.after(this.#limit) : [], broken };
      }
      await delay(100);
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
    const passing = ([text]: [string, unknown]) => text.includes(': process left behind: ');
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
