import type { Logger } from '../lib/log.ts';
import type { PeerEndpoint } from '../net/overlay/datapath.ts';
import type { KeySeal } from '../net/overlay/seal.ts';
import { aliveRecord, type Holder } from '../store/records/alive.ts';
import { hostRecord, type Registration } from '../store/records/host.ts';
import { RecordTable } from '../store/records/record-table.ts';
import type { Store } from '../store/store.ts';

/** What {@link Hosts} needs. */
export interface HostsDeps {
  shared: Store;
  seal: KeySeal | null;
  /** VXLAN network identifier */
  vni: number;
  /** name of this host */
  self: string;
  /** called when the endpoints of other hosts may have changed */
  changed: () => void;
  /** called when a host's daemon came or went */
  aliveChanged: (host: string) => void;
  /** called when the store's records of this host may be wrong */
  ownHeard: () => void;
  /** ms for which a host lost by the store stays */
  grace: number;
  signal: AbortSignal;
  logger: Logger;
}

/** The hosts of the cluster, and which daemons run. */
export class Hosts {
  readonly #deps: HostsDeps;
  readonly #hosts: RecordTable<string, Registration>;
  readonly #alive: RecordTable<string, Holder>;
  readonly #peers = new Map<string, PeerEndpoint>();

  constructor(deps: HostsDeps) {
    this.#deps = deps;
    const { signal, logger, grace, changed, ownHeard, aliveChanged, self } = deps;
    let ownChanged = false;
    const settled = (all: boolean) => {
      if (all || ownChanged) ownHeard();
      ownChanged = false;
    };
    this.#hosts = new RecordTable({
      kind: hostRecord,
      changed: (_, now, before) => {
        const host = now?.key ?? before?.key ?? '';
        if (host === self) ownChanged = true;
        this.#changed(host, now?.value);
      },
      settled: (all) => {
        changed();
        settled(all);
      },
      grace,
      signal,
      logger,
    });
    this.#alive = new RecordTable({
      kind: aliveRecord,
      changed: (_, now, before) => {
        const host = now?.key ?? before?.key ?? '';
        if (host === self) ownChanged = true;
        else if ((now === undefined) !== (before === undefined)) aliveChanged(host);
      },
      settled,
      signal,
      logger,
    });
  }

  /** Follows until the signal. */
  async follow(): Promise<void> {
    const { shared, signal } = this.#deps;
    await Promise.all([
      shared.watch(hostRecord.prefix, this.#hosts, signal),
      shared.watch(aliveRecord.prefix, this.#alive, signal),
    ]);
  }

  /** All other hosts, absent ones too. */
  peers(): PeerEndpoint[] {
    return [...this.#peers.values()];
  }

  isAlive(name: string): boolean {
    return this.#alive.get(aliveRecord.keyOf(name)) !== undefined;
  }

  /** The store's record; undefined: none. */
  registration(name: string): Registration | undefined {
    return this.#hosts.present(hostRecord.keyOf(name))?.value;
  }

  /** Name to nickname. */
  get nicknames(): ReadonlyMap<string, string> {
    return new Map(this.#hosts.list().map(({ key, value }) => [key, value.nickname]));
  }

  #changed(name: string, now: Registration | undefined): void {
    const { self, vni, seal, logger } = this.#deps;
    if (name === self) return;
    this.#peers.delete(name);
    if (now === undefined) return;
    const { nickname, address, key } = now;
    if (now.vni !== vni) {
      logger.error({ peer: nickname, vni: now.vni }, 'ignoring a host that is on another VXLAN network');
      return;
    }
    let publicKey: string | undefined;
    try {
      publicKey = seal && key !== null ? seal.open(key, name) : undefined;
    } catch {
      logger.error(
        { peer: nickname },
        'the key of a host is not sealed with our password; it is not encrypted to',
      );
    }
    const id = now.probes ? now.id : undefined;
    this.#peers.set(name, { name, nickname, address, publicKey, id });
  }
}
