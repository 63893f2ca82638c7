import type { ContainerInfo } from '../docker/types.ts';
import { messageOf } from '../lib/errors.ts';
import type { Cidr } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { isUserNetwork } from '../model/policy.ts';
import { type DnsRoute, dnsLinkAddress } from '../net/dns-link.ts';
import { containerLink } from '../net/veth.ts';
import type { ContainerProcess } from './container-process.ts';
import { rewriteEngineFile } from './engine-file.ts';
import { forwardable, pastOurs, type Servers, throughOurs, withOurs } from './resolv-conf.ts';
import { reaches } from './routes.ts';

/** What {@link ContainerDns} works with. */
export interface ContainerDnsDeps {
  /** true for an address of our name server */
  isOurDns: (server: string) => boolean;
  /** the route to our name server for a container with these name servers */
  routeToDns: (servers: readonly string[]) => DnsRoute | undefined;
  conditions: Pick<Conditions, 'set' | 'clear'>;
}

/** Of an attachment, what is needed here. */
interface Attached {
  info: ContainerInfo;
  process: Pick<ContainerProcess, 'routeTable'>;
  cidrs: readonly Cidr[];
}

/** How attached containers ask our name server: by which address and way, and what their resolv.conf says. */
export class ContainerDns {
  readonly #deps: ContainerDnsDeps;

  constructor(deps: ContainerDnsDeps) {
    this.#deps = deps;
  }

  /**
   * The way by ethwe: for a container that was told of it at create, and for one that no longer reaches what it was
   * told of, as it was disconnected from that network.
   */
  route({ info, process }: Attached): DnsRoute | undefined {
    const { isOurDns, routeToDns } = this.#deps;
    const told = routeToDns(info.dns);
    const ours = info.dns.filter(isOurDns);
    // On a user-defined network Docker's own server asks ours, from the host.
    if (told || ours.length === 0 || isUserNetwork(info.networkMode)) return told;
    const table = process.routeTable();
    return ours.some((server) => reaches(table, server, containerLink))
      ? undefined
      : routeToDns([dnsLinkAddress]);
  }

  /** Has a container ask us. @param route as {@link route} has it @param path of its resolv.conf */
  async throughOurs(
    attached: Attached,
    route: DnsRoute | undefined,
    path: () => Promise<string>,
  ): Promise<void> {
    const { isOurDns } = this.#deps;
    const moved = route && !attached.info.dns.includes(route.address) ? route.address : undefined;
    if (moved === undefined && this.#servers(attached).forwarded.length === 0) return;
    await this.#edit(attached, path, (text, servers) => {
      const edited = throughOurs(text, servers);
      return moved === undefined ? edited : withOurs(edited, moved, isOurDns);
    });
  }

  /** Has a container ask its own servers: the daemon is ending. */
  async pastOurs(attached: Attached, path: () => Promise<string>): Promise<void> {
    if (this.#servers(attached).forwarded.length > 0) await this.#edit(attached, path, pastOurs);
  }

  #servers({ info, cidrs }: Attached): Servers {
    const { isOurDns: isOurs } = this.#deps;
    const subnets = cidrs.map((cidr) => cidr.subnet);
    return { isOurs, forwarded: forwardable(info.dns, subnets, isOurs) };
  }

  async #edit(attached: Attached, path: () => Promise<string>, edit: typeof throughOurs): Promise<void> {
    const { info } = attached;
    const { conditions } = this.#deps;
    // On a user-defined network Docker's own server is in that file, and asks ours first.
    if (info.ownResolvConf || isUserNetwork(info.networkMode)) return;
    try {
      rewriteEngineFile(info.id, await path(), (text) => edit(text, this.#servers(attached)));
      conditions.clear('RESOLV_CONF', info.id.slice(0, 12));
    } catch (error) {
      const text = `container ${info.name} may ask its own DNS servers before ours: ${messageOf(error)}`;
      conditions.set('RESOLV_CONF', text, info.id.slice(0, 12));
    }
  }
}
