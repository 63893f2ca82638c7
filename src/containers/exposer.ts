import type { SystemNames } from '../dns/system/system-names.ts';
import type { Allocator } from '../ipam/allocator.ts';
import type { Logger } from '../lib/log.ts';
import type { Cidr } from '../model/address.ts';
import { parseRequest } from '../model/request.ts';
import { bridgeName } from '../net/bridge.ts';
import type { Firewall } from '../net/firewall.ts';
import type { IpBatch } from '../net/ip.ts';
import { exposeRecord } from '../store/records/expose.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';
import type { Naming } from './naming.ts';

/** Owner of the host's own addresses, and their name in `ps`. */
export const exposeOwner = 'weave:expose';

interface Exposed {
  cidr: Cidr;
  masquerade: boolean;
  hostsFile: boolean;
}

/** How the host takes part. */
export interface ExposeOptions {
  /** a name for the addresses */
  fqdn: string | null;
  /** NAT rules for the host's other networks */
  masquerade: boolean;
  /** names are kept in /etc/hosts, and not asked of a resolver */
  hostsFile: boolean;
}

/** The host's own addresses on the network: on the bridge, in the firewall, and kept over restarts. */
export class Exposer {
  readonly #allocator: Allocator;
  readonly #store: Store;
  readonly #firewall: Firewall;
  readonly #ip: IpBatch;
  readonly #naming: Naming;
  readonly #system: Pick<SystemNames, 'set'>;
  readonly #changed: (owner: string) => void;
  #exposed: Exposed[] = [];

  /** @param fields `changed` is called when the host's addresses have changed, for the other hosts */
  constructor(fields: {
    allocator: Allocator;
    store: Store;
    firewall: Firewall;
    ip: IpBatch;
    naming: Naming;
    system: Pick<SystemNames, 'set'>;
    changed: (owner: string) => void;
  }) {
    this.#allocator = fields.allocator;
    this.#store = fields.store;
    this.#firewall = fields.firewall;
    this.#ip = fields.ip;
    this.#naming = fields.naming;
    this.#system = fields.system;
    this.#changed = fields.changed;
  }

  /** Restores what earlier daemons exposed. */
  async restore(logger: Logger): Promise<void> {
    const reader = new RecordReader(exposeRecord, logger);
    for (const { key: cidr, value } of reader.readAll(await this.#store.list(exposeRecord.prefix))) {
      const { masquerade, hostsFile } = value;
      this.#exposed.push({ cidr, masquerade, hostsFile });
      await this.#ip.runOk([`addr replace ${cidr} broadcast + dev ${bridgeName}`]);
    }
    await this.#apply();
  }

  /** Gives the host these addresses, or one of the default subnet. Idempotent. */
  async expose(requests: readonly string[], { fqdn, masquerade, hostsFile }: ExposeOptions): Promise<Cidr[]> {
    const cidrs: Cidr[] = [];
    for (const request of requests.length > 0 ? requests : ['net:default']) {
      const cidr = await this.#allocator.request(exposeOwner, parseRequest(request));
      await this.#store.commit([exposeRecord.write(cidr, { masquerade, hostsFile })]);
      const others = this.#exposed.filter((other) => !other.cidr.equals(cidr));
      this.#exposed = [...others, { cidr, masquerade, hostsFile }];
      await this.#ip.runOk([`addr replace ${cidr} broadcast + dev ${bridgeName}`]);
      if (fqdn !== null) await this.#naming.add(exposeOwner, fqdn, [cidr.address]);
      cidrs.push(cidr);
    }
    this.#changed(exposeOwner);
    await this.#apply();
    return cidrs;
  }

  /** Removes these addresses from the host, or the one of the default subnet. @returns those that it had */
  async hide(requests: readonly string[]): Promise<Cidr[]> {
    const asked = (requests.length > 0 ? requests : ['net:default']).map(parseRequest);
    const leaving = this.#exposed
      .map(({ cidr }) => cidr)
      .filter((cidr) =>
        asked.some((request) => {
          if (request.kind === 'claim') return request.cidr.equals(cidr);
          return (request.kind === 'subnet' ? request.subnet : this.#allocator.defaultSubnet).equals(
            cidr.subnet,
          );
        }),
      );
    for (const cidr of leaving) {
      this.#exposed = this.#exposed.filter((other) => !other.cidr.equals(cidr));
      await this.#ip.run([`addr del ${cidr} dev ${bridgeName}`]);
      await this.#naming.remove(exposeOwner, undefined, [cidr.address]);
      await this.#store.commit([exposeRecord.write(cidr, null)]);
      await this.#allocator.release(exposeOwner, cidr.ip);
    }
    this.#changed(exposeOwner);
    await this.#apply();
    return leaving;
  }

  list(): Cidr[] {
    return this.#exposed.map(({ cidr }) => cidr);
  }

  async #apply(): Promise<void> {
    const exposed = this.#exposed.map(({ cidr, masquerade }) => ({
      subnet: cidr.subnet.toString(),
      masquerade,
    }));
    await this.#firewall.set({ exposed });
    const inFile = this.#exposed.some(({ hostsFile }) => hostsFile);
    await this.#system.set(inFile ? 'hosts-file' : this.#exposed.length > 0 ? 'resolver' : 'none');
  }
}
