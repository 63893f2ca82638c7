import { setTimeout as delay } from 'node:timers/promises';
import { call } from './call.ts';
import type { Machine } from './machine.ts';
import type { Random } from './random.ts';

/** By what each of a machine's containers is restarted: the engine has always some to start that nobody asked for. */
const policies = ['always', 'unless-stopped', 'no'] as const;
/** Containers that a machine has at most. */
const most = policies.length;
/** and at least, when nothing is wrong */
const least = 2;
/** ms for a call: more than any fault lasts */
const patience = 40_000;

/** A container, as the engine lists it. */
interface Listed {
  Id: string;
  Names: string[];
  State: string;
}

export const containersOf = async ({ host }: Machine, path = '/containers/json'): Promise<Listed[]> =>
  JSON.parse(await call({ socketPath: host.socketPath('engine'), method: 'GET', path })) as Listed[];

export const nameOf = ({ Names }: Listed) => Names[0]?.slice(1) ?? '';

/** Makes, starts, stops, restarts and removes a machine's containers by the proxy. */
export class Workload {
  readonly #machine: Machine;
  readonly #random: Random;
  #ended = new AbortController();
  #working: Promise<void> = Promise.resolve();
  /** what was asked for since it began, and how much of that was refused */
  asked = 0;
  failed = 0;

  constructor(machine: Machine, random: Random) {
    this.#machine = machine;
    this.#random = random;
  }

  begin(): void {
    this.#ended = new AbortController();
    this.#working = this.#work(this.#ended.signal);
  }

  /** Resolves when what was under way is done. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#working;
  }

  /** Starts containers until there are enough. @throws when the proxy refuses one */
  async fill(): Promise<void> {
    // The engine starts none whose removal a power cut ended.
    for (const { Id, State } of await this.#list()) if (State === 'dead') await this.#remove(Id);
    const list = await this.#list();
    const missing = least - list.filter(({ State }) => State === 'running').length;
    const idle = list.filter(({ State }) => State !== 'running').map(({ Id }) => Id);
    for (let i = 0; i < missing; i++) {
      const id = idle[i];
      if (id === undefined) await this.#run();
      else await this.#post(`/containers/${id}/start`);
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pause = this.#random.between(100, 600);
      this.asked++;
      await this.#change().catch(() => this.failed++);
      await delay(pause, undefined, { signal }).catch(() => {});
    }
  }

  async #change(): Promise<void> {
    const [chosen, what] = [this.#random.next(), this.#random.next()];
    const list = await this.#list();
    const place = Math.floor(chosen * most);
    const container = list[place];
    if (container === undefined) return this.#run();
    const path = `/containers/${container.Id}`;
    if (container.State !== 'running' && what < 0.8) return this.#post(`${path}/start`);
    if (what < 0.5) return this.#post(`${path}/restart?t=0`);
    if (what < 0.8) return this.#post(`${path}/stop?t=0`);
    await this.#remove(container.Id);
  }

  /** Under a name that may have been another's. */
  async #run(): Promise<void> {
    const used = new Set((await this.#list()).map(nameOf));
    const nameAt = (place: number) => `${this.#machine.name}c${place}`;
    const place = policies.findIndex((_, i) => !used.has(nameAt(i)));
    const body = {
      Image: 'busybox',
      Cmd: ['sleep', '100000'],
      // An engine that was killed ends what it finds running, and sleep heeds no SIGTERM.
      StopTimeout: 1,
      HostConfig: { RestartPolicy: { Name: policies[place] } },
    };
    const path = `/containers/create?name=${nameAt(place)}`;
    const { Id } = JSON.parse(
      await call({ socketPath: this.#proxy, method: 'POST', path, body, ms: patience }),
    ) as { Id: string };
    await this.#post(`/containers/${Id}/start`);
  }

  async #list(): Promise<Listed[]> {
    const list = await containersOf(this.#machine, '/containers/json?all=1');
    return list.toSorted((one, other) => nameOf(one).localeCompare(nameOf(other)));
  }

  async #remove(id: string): Promise<void> {
    const path = `/containers/${id}?force=1`;
    await call({ socketPath: this.#proxy, method: 'DELETE', path, ms: patience });
  }

  async #post(path: string): Promise<void> {
    await call({ socketPath: this.#proxy, method: 'POST', path, ms: patience });
  }

  get #proxy(): string {
    return this.#machine.host.socketPath('proxy');
  }
}
