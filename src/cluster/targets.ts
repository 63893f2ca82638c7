import type { LaunchConfig } from '../config/config.ts';
import { joinPort } from '../model/ports.ts';
import { targetsRecord } from '../store/records/targets.ts';
import type { Store } from '../store/store.ts';

/**
 * The hosts that this one was told to connect to. One of them is enough to find a cluster by; once in it, hosts know of
 * one another by the store.
 */
export class Targets {
  readonly #local: Store;
  #hosts: readonly string[];

  private constructor(local: Store, hosts: readonly string[]) {
    this.#local = local;
    this.#hosts = hosts;
  }

  /** Those that `launch` names, and with `--resume` those of before. */
  static async of({ peers, resume }: Pick<LaunchConfig, 'peers' | 'resume'>, local: Store): Promise<Targets> {
    const entry = resume ? await local.get(targetsRecord.keyOf('targets')) : undefined;
    const kept = entry && targetsRecord.parse(entry);
    const targets = new Targets(local, []);
    await targets.set([...peers, ...(typeof kept === 'object' ? kept.value.hosts : [])]);
    return targets;
  }

  /** As they were named, without the usual port. */
  list(): string[] {
    return [...this.#hosts];
  }

  async remove(hosts: readonly string[]): Promise<void> {
    const gone = new Set(hosts.map(plain));
    await this.set(this.#hosts.filter((host) => !gone.has(host)));
  }

  async set(hosts: readonly string[]): Promise<void> {
    const distinct = [...new Set(hosts.map(plain))];
    await this.#local.commit([targetsRecord.write('targets', { hosts: distinct })]);
    this.#hosts = distinct;
  }
}

/** The usual port is left out. */
const plain = (host: string) => host.replace(`:${joinPort}`, '');
