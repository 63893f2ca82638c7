import type { LaunchConfig } from '../control/contract.ts';
import { WeaveError } from '../lib/errors.ts';
import { membersOf, withEtcdPort } from '../lib/members.ts';
import type { EtcdStore } from '../store/etcd.ts';
import type { Store } from '../store/store.ts';
import { etcdEndpoint } from './overlay.ts';

const key = 'cluster/store';

/** What `launch --resume` goes on with: the members of etcd that were known when this host last ran, too. */
export async function resumeStore(config: LaunchConfig, local: Store): Promise<LaunchConfig> {
  const kept = config.resume ? await local.get(key) : undefined;
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
    if (etcd) await targets.#set(targets.#members);
    return targets;
  }

  /** `host:port` of each */
  list(): string[] {
    return [...this.#members];
  }

  /** @param peers hosts with an etcd, or `host:port`; @param replace whether these are all @throws WeaveError USAGE */
  connect(peers: readonly string[], replace: boolean): Promise<void> {
    return this.#set([...(replace ? [] : this.#members), ...peers.map(withEtcdPort)]);
  }

  /** A host that is alone has nothing to forget. @throws WeaveError USAGE */
  async forget(peers: readonly string[]): Promise<void> {
    if (this.#etcd === undefined) return;
    const gone = new Set(peers.map(withEtcdPort));
    return this.#set(this.#members.filter((member) => !gone.has(member)));
  }

  async #set(members: readonly string[]): Promise<void> {
    if (this.#etcd === undefined) {
      throw new WeaveError(
        'USAGE',
        'this host is alone: it was launched without a store for several; weavets stop, then weavets launch --store etcd://HOST:PORT',
      );
    }
    if (members.length === 0) {
      throw new WeaveError('USAGE', 'no etcd would be left to go to; name one that stays');
    }
    this.#members = [...new Set(members)];
    const store = `${this.#scheme}://${this.#members.join(',')}`;
    await this.#local.commit([{ key, value: store }]);
    this.#etcd.setEndpoints(this.#members.map((member) => etcdEndpoint(this.#scheme, member)));
  }
}
