import { type NameTable, qualify } from '../dns/names.ts';
import type { ContainerInfo } from '../docker/types.ts';
import { bootId } from '../lib/boot.ts';
import { WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { type Cidr, type Ip, isIp } from '../model/address.ts';
import { type Hostname, isHostname, isWildcard } from '../model/names.ts';
import { isContainer } from '../model/owner.ts';
import { namesRecord } from '../store/records/names.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';
import type { Called, OwnNames } from './own-names.ts';

/** Naming's collaborators. */
export interface NamingDeps {
  names: NameTable;
  store: Store;
  /** `weave.local.` */
  domain: string;
  /** name of this peer */
  origin: string;
  /** called for each owner whose names or addresses changed */
  changed: (owner: string) => void;
  /** pid of a container's first process; 0 if it does not run */
  pidOf: (id: string) => Promise<number>;
  own: Pick<OwnNames, 'of'>;
  logger: Logger;
}

/** The names of one run of a container, or of another owner. */
interface Named {
  /** identifies the run until the host reboots; 0 for other owners */
  pid: number;
  /** of the attachment */
  addresses: readonly Ip[];
  /** that it has by itself */
  own: readonly Hostname[];
  /** addresses without a name of its own */
  unnamed: readonly Ip[];
  /** changed by hand, so kept on disk while the container runs */
  edited: boolean;
}

/** The pid of no process. */
const noRun = -1;
const nothing: Named = { pid: 0, addresses: [], own: [], unnamed: [], edited: false };

interface Name {
  hostname: string;
  address: string;
}

/**
 * Maintains containers' names in the DNS table: hostnames, names, and what `dns-add` and `dns-remove`
 * change. What was changed by hand holds over restarts of the daemon, and ends with the container's run.
 */
export class Naming {
  readonly #parts: NamingDeps;
  readonly #named = new Map<string, Named>();
  /** read from the store, not yet known to belong to the current run */
  readonly #kept = new Map<string, Named & { names: readonly Name[] }>();

  readonly #boot = bootId();

  private constructor(parts: NamingDeps) {
    this.#parts = parts;
  }

  static async load(parts: NamingDeps): Promise<Naming> {
    const naming = new Naming(parts);
    const reader = new RecordReader(namesRecord, parts.logger);
    for (const { key: owner, value } of reader.readAll(await parts.store.list(namesRecord.prefix))) {
      // After a reboot the same pid is another run. Older versions did not say which boot; it is mostly this one.
      const rebooted = value.boot !== '' && value.boot !== naming.#boot;
      const pid = isContainer(owner) && rebooted ? noRun : value.pid;
      naming.#kept.set(owner, { ...value, pid, edited: true });
      if (!isContainer(owner)) naming.#resume(owner, 0);
    }
    return naming;
  }

  /** Containers with names that were changed by hand. */
  owners(): string[] {
    const edited = [...this.#named].filter(([, { edited }]) => edited).map(([owner]) => owner);
    return [...edited, ...this.#kept.keys()].filter(isContainer);
  }

  /** This container runs: restores names given to an earlier daemon for this run, removes those of other runs. */
  async running({ id, pid }: ContainerInfo): Promise<void> {
    this.#resume(id, pid);
    const named = this.#named.get(id);
    if (this.#kept.has(id) || (named !== undefined && named.pid !== pid)) await this.clear(id);
  }

  /**
   * The container is attached with these addresses, and called as it is now: what is new of either gets the names that
   * it has by itself, but for new addresses if `own` is false; names of what it no longer has go.
   */
  async set(info: ContainerInfo, cidrs: readonly Cidr[], own = true): Promise<void> {
    const { id, pid } = info;
    await this.running(info);
    const before = this.#named.get(id) ?? { ...nothing, pid };
    const addresses = cidrs.map(({ address }) => address);
    const fresh = addresses.filter((address) => !before.addresses.includes(address));
    const called = this.#parts.own.of(info);
    const hostnames = [
      ...called.hostnames,
      ...called.services.filter((each) => !called.hostnames.includes(each)),
    ];
    this.#parts.names.setPorts(id, info.ports);
    const unnamed = [...before.unnamed.filter((a) => addresses.includes(a)), ...(own ? [] : fresh)];
    this.#named.set(id, { ...before, addresses, own: hostnames, unnamed });
    for (const address of before.addresses) {
      if (!addresses.includes(address)) this.#removeName({ containerId: id, address });
    }
    for (const hostname of before.own) {
      if (!hostnames.includes(hostname)) this.#removeName({ containerId: id, hostname });
    }
    for (const hostname of hostnames) {
      for (const address of addresses) {
        // Earlier ones may have been removed by hand.
        const isNew = fresh.includes(address) || !before.own.includes(hostname);
        if (isNew && !unnamed.includes(address)) this.#addName(id, { hostname, address });
      }
    }
    if (before.edited) await this.#keep(id);
    this.#parts.changed(id);
  }

  /** A container's own names. */
  called(info: ContainerInfo): Called {
    return this.#parts.own.of(info);
  }

  /** Why a container with this name is not found by it, or not alone; for people. */
  warnings(called: Parameters<OwnNames['of']>[0]): string[] {
    const { hostnames, problems } = this.#parts.own.of(called);
    const shared = hostnames.flatMap((hostname) => {
      const others = this.#parts.names
        .list({ hostname })
        .filter(({ containerId }) => containerId !== called.id);
      const [other] = others;
      if (other === undefined) return [];
      const who = isContainer(other.containerId)
        ? `container ${other.containerId.slice(0, 12)}`
        : other.containerId;
      return `${who} has the name ${hostname.slice(0, -1)} too (${other.address}); lookups return either`;
    });
    return [...problems, ...shared];
  }

  /** The owner's names go. */
  async clear(owner: string): Promise<void> {
    const kept = this.#kept.delete(owner);
    const edited = this.#named.get(owner)?.edited ?? false;
    this.#named.delete(owner);
    this.#removeName({ containerId: owner });
    this.#parts.names.setPorts(owner, []);
    this.#parts.changed(owner);
    if (kept || edited) await this.#parts.store.commit([namesRecord.write(owner, null)]);
  }

  /**
   * Adds a name by hand. @param owner id of the container that it belongs to, or a word such as `weave:extern`
   * @throws WeaveError NOT_ATTACHABLE for a container that does not run
   */
  async add(owner: string, fqdn: string, addresses: readonly string[]): Promise<void> {
    const hostname = qualify(fqdn, this.#parts.domain);
    for (const address of addresses) this.#addName(owner, { hostname, address });
    if (await this.#edit(owner)) return;
    throw new WeaveError(
      'NOT_ATTACHABLE',
      `container ${owner.slice(0, 12)} does not run, so it can't have names; start it first`,
    );
  }

  /** Takes names away: all of the owner, or those of this name or these addresses. */
  async remove(owner: string, fqdn: string | undefined, addresses: readonly string[]): Promise<void> {
    const hostname = fqdn === undefined ? {} : { hostname: qualify(fqdn, this.#parts.domain) };
    const filter = { containerId: owner, ...hostname };
    if (addresses.length === 0) this.#removeName(filter);
    for (const address of addresses) this.#removeName({ ...filter, address });
    await this.#edit(owner);
  }

  /**
   * Keeps what the owner has now. A container is looked at after the change: one that ended before it would otherwise
   * leave a name that nobody takes away.
   * @returns false for a container that does not run; then it has no names
   */
  async #edit(owner: string): Promise<boolean> {
    const pid = isContainer(owner) ? await this.#parts.pidOf(owner) : 0;
    if (isContainer(owner) && pid === 0) {
      await this.clear(owner);
      return false;
    }
    this.#named.set(owner, { ...(this.#named.get(owner) ?? nothing), pid, edited: true });
    await this.#keep(owner);
    this.#parts.changed(owner);
    return true;
  }

  async #keep(owner: string): Promise<void> {
    const { names, origin, store } = this.#parts;
    const { edited: _, ...named } = this.#named.get(owner) ?? nothing;
    const left = names.list({ containerId: owner, origin });
    // A container may have none left on purpose, by dns-remove.
    const gone = left.length === 0 && !isContainer(owner);
    const kept = {
      ...named,
      boot: this.#boot,
      names: left.flatMap(({ hostname, address }) =>
        (isHostname(hostname) || isWildcard(hostname)) && isIp(address) ? [{ hostname, address }] : [],
      ),
    };
    await store.commit([namesRecord.write(owner, gone ? null : kept)]);
  }

  #resume(owner: string, pid: number): void {
    const kept = this.#kept.get(owner);
    if (kept?.pid !== pid) return;
    const { names, ...named } = kept;
    this.#kept.delete(owner);
    this.#named.set(owner, named);
    for (const name of names) this.#addName(owner, name);
    this.#parts.changed(owner);
  }

  #addName(containerId: string, name: Name): void {
    this.#parts.names.add({ ...name, containerId, origin: this.#parts.origin });
  }

  #removeName(filter: { containerId: string; hostname?: string; address?: string }): void {
    this.#parts.names.remove({ ...filter, origin: this.#parts.origin });
  }
}
