import { type NameTable, qualify } from '../dns/names.ts';
import type { ContainerInfo } from '../docker/types.ts';
import type { Cidr } from '../lib/cidr.ts';

/** Gives containers their names in the DNS table: those whose hostname lies in our domain. */
export class Naming {
  readonly #names: NameTable;
  readonly #domain: string;
  readonly #origin: string;
  readonly #changed: (containerId: string) => void;

  /** @param origin name of this peer; @param domain `weave.local.`; @param changed told of each change */
  constructor(
    names: NameTable,
    { domain, origin, changed }: { domain: string; origin: string; changed: (containerId: string) => void },
  ) {
    this.#names = names;
    this.#domain = domain;
    this.#origin = origin;
    this.#changed = changed;
  }

  /** The container's name resolves to these addresses and to no others. */
  async set(info: ContainerInfo, cidrs: readonly Cidr[]): Promise<void> {
    const hostname = `${info.hostname.toLowerCase()}.`;
    if (!hostname.endsWith(`.${this.#domain}`)) return;
    this.#names.remove({ containerId: info.id, origin: this.#origin });
    for (const { address } of cidrs) {
      this.#names.add({ hostname, address, containerId: info.id, origin: this.#origin });
    }
    this.#changed(info.id);
  }

  /** The container's names go. */
  async clear(containerId: string): Promise<void> {
    this.#names.remove({ containerId, origin: this.#origin });
    this.#changed(containerId);
  }

  /** Adds a name by hand. @param containerId of the container that it belongs to, or `weave:extern` */
  async add(containerId: string, fqdn: string, addresses: readonly string[]): Promise<void> {
    const hostname = qualify(fqdn, this.#domain);
    for (const address of addresses) {
      this.#names.add({ hostname, address, containerId, origin: this.#origin });
    }
    this.#changed(containerId);
  }

  /** Takes names away that were added by hand. */
  async remove(containerId: string, fqdn: string | undefined, addresses: readonly string[]): Promise<void> {
    const hostname = fqdn === undefined ? {} : { hostname: qualify(fqdn, this.#domain) };
    const filter = { containerId, origin: this.#origin, ...hostname };
    if (addresses.length === 0) this.#names.remove(filter);
    for (const address of addresses) this.#names.remove({ ...filter, address });
    this.#changed(containerId);
  }
}
