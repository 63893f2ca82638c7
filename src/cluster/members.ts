import type { LaunchConfig } from '../config/config.ts';
import { WeaveError } from '../lib/errors.ts';
import { membersOf, withEtcdPort } from '../model/members.ts';
import type { EtcdStore } from '../store/etcd/etcd.ts';
import type { Store } from '../store/store.ts';
import { etcdEndpoint } from './overlay.ts';

/** Of the members of etcd, in this host's own store. */
export const membersKey = 'cluster/store';

/** The members for `launch --resume`, including those known when this host last ran. */
export async function resumeStore(config: LaunchConfig, local: Store): Promise<LaunchConfig> {
  const kept = config.resume ? await local.get(membersKey) : undefined;
  if (kept === undefined) return config;
  if (config.store === 'lmdb') return { ...config, store: kept.value };
  const added = membersOf(kept.value).filter((member) => !membersOf(config.store).includes(member));
  return { ...config, store: [config.store, ...added].join(',') };
}

/** The members of etcd that this host goes to: `connect` and `forget` change them while it runs. */
export class Targets {
  readonly #local: Store;
  readonly #etcd: EtcdStore | undefined;
  readonly #scheme: string;
  #members: readonly string[];

  private constructor(config: LaunchConfig, local: Store, etcd: EtcdStore | undefined) {
    this.#local = local;
    this.#etcd = etcd;
    this.#members = etcd ? membersOf(config.store) : [];
    this.#scheme = config.store.split(':')[0] ?? '';
  }

  /** @param etcd undefined: this host is alone */
  static async of(config: LaunchConfig, local: Store, etcd: EtcdStore | undefined): Promise<Targets> {
    const targets = new Targets(config, local, etcd);
    if (etcd) await targets.#set(etcd, targets.#members);
    return targets;
  }

  /** `host:port` of each */
  list(): string[] {
    return [...this.#members];
  }

  /** @param peers hosts with an etcd, or `host:port`; @param replace whether these are all @throws WeaveError USAGE */
  async connect(peers: readonly string[], replace: boolean): Promise<void> {
    if (this.#etcd)
      return this.#set(this.#etcd, [...(replace ? [] : this.#members), ...peers.map(withEtcdPort)]);
    if (peers.length === 0) return;
    throw new WeaveError(
      'USAGE',
      `this host is alone, so it can't connect to ${peers.join(', ')}; hosts that share an etcd find each other: weavets stop, then weavets launch --store etcd://HOST:PORT`,
    );
  }

  /** A single host has nothing to forget. @throws WeaveError USAGE */
  async forget(peers: readonly string[]): Promise<void> {
    const gone = new Set(peers.map(withEtcdPort));
    if (this.#etcd)
      await this.#set(
        this.#etcd,
        this.#members.filter((member) => !gone.has(member)),
      );
  }

  /** The cluster was left: there is nothing to go on with. */
  async drop(): Promise<void> {
    await this.#local.commit([{ key: membersKey, value: null }]);
  }

  async #set(etcd: EtcdStore, members: readonly string[]): Promise<void> {
    if (members.length === 0) {
      throw new WeaveError('USAGE', 'no etcd would be left to go to; name one that stays');
    }
    this.#members = [...new Set(members)];
    const store = `${this.#scheme}://${this.#members.join(',')}`;
    await this.#local.commit([{ key: membersKey, value: store }]);
    etcd.setEndpoints(this.#members.map((member) => etcdEndpoint(this.#scheme, member)));
  }
}
