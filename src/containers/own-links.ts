import type { NameTable } from '../dns/names.ts';
import { type Cidr, isIp } from '../model/address.ts';
import { isMac } from '../model/mac.ts';
import { isHostname, isWildcard } from '../model/names.ts';
import type { Link } from '../store/records/link.ts';
import { exposeOwner } from './exposer.ts';

/** What {@link OwnLinks} are read from. */
export interface OwnLinksDeps {
  attachments: {
    get(id: string): { mac: string; cidrs: readonly Cidr[] } | undefined;
    list(): { info: { id: string } }[];
  };
  exposer: { list(): Cidr[] };
  names: NameTable;
  /** name of this host */
  self: string;
  /** of the bridge, which has the host's own addresses */
  bridgeMac: string;
}

/** What this host publishes to the others. */
export class OwnLinks {
  readonly #deps: OwnLinksDeps;

  constructor(deps: OwnLinksDeps) {
    this.#deps = deps;
  }

  /** The current state of a container, or of the host itself; undefined: nothing is left of it. */
  linkOf(id: string): Link | undefined {
    const { attachments, exposer, names, self, bridgeMac } = this.#deps;
    const attachment = attachments.get(id);
    const exposed = id === exposeOwner ? exposer.list() : [];
    const ips = [...(attachment?.cidrs ?? []), ...exposed].map(({ address }) => address);
    const mac = attachment?.mac ?? (exposed.length > 0 ? bridgeMac : '');
    // A malformed part must not cost the container its link.
    const all = names.list({ containerId: id, origin: self });
    const own = all.flatMap(({ hostname, address }) =>
      isHostname(hostname) && isIp(address) ? [{ hostname, address }] : [],
    );
    const wildcards = all.flatMap(({ hostname, address }) =>
      isWildcard(hostname) && isIp(address) ? [{ hostname, address }] : [],
    );
    if (mac === '' && all.length === 0) return undefined;
    const link: Link = { mac: isMac(mac) ? mac : null, ips, names: own };
    if (wildcards.length > 0) link.wildcards = wildcards;
    const ports = names.ports(id);
    if (ports.length > 0) link.ports = ports;
    return link;
  }

  /** All owners with a link. */
  owners(): string[] {
    const { attachments, exposer, names, self } = this.#deps;
    return [
      ...new Set([
        ...attachments.list().map(({ info }) => info.id),
        ...(exposer.list().length > 0 ? [exposeOwner] : []),
        ...names.list({ origin: self }).map(({ containerId }) => containerId),
      ]),
    ];
  }
}
