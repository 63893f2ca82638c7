import { type Check, examine, failureOf, ok, verdictOf } from '../doctor/check.ts';
import { forwarding } from '../doctor/checks/forwarding.ts';
import { rules } from '../doctor/checks/rules.ts';
import { checks, type HostDeps } from '../doctor/checks.ts';
import { type End, walk } from '../doctor/walk.ts';
import { WeaveError } from '../lib/errors.ts';
import { KeyedLock } from '../lib/lock.ts';
import type { Conditions } from '../model/conditions.ts';
import type { Finding, Verdict } from '../model/verdict.ts';
import { type HostNetwork, readNetwork } from '../net/host.ts';
import type { DoctorView } from '../report/network.ts';
import { findEnd } from './ends.ts';
import { hostDepsOf } from './host-deps.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';
import type { JoinedCluster } from './stages/join-cluster.ts';
import type { PreparedHost } from './stages/prepare-host.ts';
import type { StartedContainers } from './stages/start-containers.ts';
import type { StartedDns } from './stages/start-dns.ts';

/** What a {@link Checkup} looks at. */
export interface CheckupDeps extends Pick<DaemonDeps, 'conditions' | 'logger'> {
  host: PreparedHost;
  joined: JoinedCluster;
  dns: StartedDns;
  containers: StartedContainers;
}

/** ms for which one look at links and routes serves all checks that run together */
const fresh = 500;

/** Runs the doctor's checks, each one at a time, and updates the conditions by what they find. */
export class Checkup {
  readonly #conditions: Conditions;
  readonly #parts: CheckupDeps;
  readonly #depsOf: (network: HostNetwork) => HostDeps;
  readonly #lock = new KeyedLock();
  /** what each check found last, by its name */
  readonly #found = new Map<string, Verdict>();
  /** when all had been run */
  #at: number | null = null;
  #network: { at: number; read: Promise<HostNetwork> } | undefined;

  constructor(deps: CheckupDeps) {
    this.#conditions = deps.conditions;
    this.#parts = deps;
    this.#depsOf = hostDepsOf(deps, this.#lock);
  }

  /** A task for each check that runs by itself, by its name. */
  tasks(when: Check<HostDeps>['when']): Record<string, () => Promise<void>> {
    const due = checks.filter((check) => check.when === when);
    return Object.fromEntries(due.map((check) => [check.name, () => this.#look(check)]));
  }

  /** Runs all of them now. */
  async diagnose(): Promise<Verdict[]> {
    const deps = this.#depsOf(await readNetwork());
    for (const check of checks) await this.#examine(check, deps);
    this.#at = Date.now();
    return [...this.last().checks, ...this.#others(), running];
  }

  /** Runs those that don't run by themselves, and those that have not yet. */
  async complete(): Promise<void> {
    const deps = this.#depsOf(await this.network());
    for (const check of checks)
      if (check.when === 'launch' || check.when === 'asked' || !this.#found.has(check.name))
        await this.#examine(check, deps);
    this.#at = Date.now();
  }

  /** What they found last. */
  last(): DoctorView {
    const found = checks.flatMap((check) => {
      const verdict = this.#found.get(check.name);
      return verdict ? [this.#remembered(check, verdict)] : [];
    });
    return { at: this.#at, checks: found };
  }

  /** Walks from one container or host to another, and back. @throws WeaveError NO_SUCH_CONTAINER, NOT_ATTACHABLE, USAGE */
  async walk(from: string, to: string): Promise<Verdict[]> {
    const ends = await Promise.all([from, to].map((called) => findEnd(called, this.#parts)));
    const [a, b] = ends as [End, End];
    if (!a.host.here && !b.host.here) {
      const { nickname } = a.host;
      throw new WeaveError('USAGE', `neither ${from} nor ${to} is on this host; ask on ${nickname}`);
    }
    const { names } = this.#parts.dns;
    return walk(a, b, { addresses: (hostname) => names.addresses(hostname), rules: () => this.#passable() });
  }

  /** Whether this host's firewall lets frames through. */
  async #passable(): Promise<Finding> {
    const deps = this.#depsOf(await readNetwork());
    for (const check of [rules, forwarding]) {
      const verdict = await this.#lock.run(check.name, () => examine<HostDeps>(check, deps));
      if (verdict.state === 'failed') return verdict;
    }
    return ok("frames between containers pass the host's firewall");
  }

  async #examine(check: Check<HostDeps>, deps: HostDeps): Promise<void> {
    const verdict = await this.#lock.run(check.name, () => examine(check, deps));
    this.#found.set(check.name, verdict);
    if (check.when === 'look' || check.when === 'probe') this.#note(check, verdict);
  }

  async #look(check: Check<HostDeps>): Promise<void> {
    const deps = this.#depsOf(await this.network());
    try {
      const finding = await this.#lock.run(check.name, () => check.run(deps));
      this.#found.set(check.name, verdictOf(check, finding));
      this.#note(check, finding);
    } catch (error) {
      this.#found.set(check.name, failureOf(check, error));
      throw error;
    }
  }

  #note({ code }: Check<HostDeps>, { state, text }: Finding): void {
    if (state === 'failed') this.#conditions.set(code, text);
    else if (state === 'healed') this.#conditions.healed(code, text);
    else if (state === 'ok') this.#conditions.clear(code);
  }

  /** Repairs made before anyone asked are reported, too. */
  #remembered({ code }: Check<HostDeps>, verdict: Verdict): Verdict {
    const before = this.#conditions.listHealed().find((condition) => condition.code === code);
    if (verdict.state !== 'ok' || before === undefined) return verdict;
    return { ...verdict, state: 'healed', text: `${before.text} (${before.since.toISOString()})` };
  }

  /** Problems found by other parts of the daemon. */
  #others(): Verdict[] {
    const known = new Set(checks.map(({ code }) => code));
    const others = this.#conditions.list().filter(({ code }) => !known.has(code));
    return others.map(({ code, about, text }) => {
      return { check: about === '' ? 'condition' : about, state: 'failed', text, code };
    });
  }

  /** The host's links and routes, at most a moment old. */
  network(): Promise<HostNetwork> {
    const now = performance.now();
    if (this.#network === undefined || now - this.#network.at > fresh)
      this.#network = { at: now, read: readNetwork() };
    return this.#network.read;
  }
}

const running: Verdict = { check: 'daemon', state: 'ok', text: 'weavets runs', code: null };
