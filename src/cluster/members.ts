import type { LaunchConfig } from '../config/config.ts';
import { WeaveError } from '../lib/errors.ts';
import { membersOf, withEtcdPort } from '../model/members.ts';
import type { EtcdStore } from '../store/etcd/etcd.ts';
import type { Store } from '../store/store.ts';
import { etcdEndpoint } from './overlay.ts';

/** Of the members of etcd, in this host's own store. */
export const membersKey = 'cluster/store';

/** Of the store that this host's cluster has moved to from an etcd that weavets ran, in this host's own store. */
export const movedKey = 'cluster/moved';

/** The members for `launch --resume`, including those known when this host last ran. */
export async function resumeStore(config: LaunchConfig, local: Store): Promise<LaunchConfig> {
  const kept = config.resume ? await local.get(membersKey) : undefined;
  if (kept === undefined) return config;
  if (config.store === 'lmdb') return { ...config, store: kept.value };
  const added = membersOf(kept.value).filter((member) => !membersOf(config.store).includes(member));
  return { ...config, store: [config.store, ...added].join(',') };
}

/** The members of etcd that this host goes to; they can be changed while it runs. */
export class EtcdMembers {
  readonly #local: Store;
  readonly #etcd: EtcdStore;
  readonly #scheme: string;
  #members: readonly string[];

  private constructor(store: string, local: Store, etcd: EtcdStore) {
    this.#local = local;
    this.#etcd = etcd;
    this.#members = membersOf(store);
    this.#scheme = store.split(':')[0] ?? '';
  }

  /** @param store as a LaunchConfig has it */
  static async of(store: string, local: Store, etcd: EtcdStore): Promise<EtcdMembers> {
    const members = new EtcdMembers(store, local, etcd);
    await members.set(members.#members);
    return members;
  }

  /** as a LaunchConfig has it */
  get store(): string {
    return `${this.#scheme}://${this.#members.join(',')}`;
  }

  /** `host:port` of each */
  list(): string[] {
    return [...this.#members];
  }

  /** @param members `host` or `host:port`, in place of those that it goes to @throws WeaveError USAGE */
  async set(members: readonly string[]): Promise<void> {
    if (members.length === 0) {
      throw new WeaveError('USAGE', 'no etcd would be left to go to; name one that stays');
    }
    this.#members = [...new Set(members.map(withEtcdPort))];
    await this.#local.commit([{ key: membersKey, value: this.store }]);
    this.#etcd.setEndpoints(this.#members.map((member) => etcdEndpoint(this.#scheme, member)));
  }

  async add(members: readonly string[]): Promise<void> {
    await this.set([...this.#members, ...members.map(withEtcdPort)]);
  }

  async remove(members: readonly string[]): Promise<void> {
    const gone = new Set(members.map(withEtcdPort));
    await this.set(this.#members.filter((member) => !gone.has(member)));
  }
}
