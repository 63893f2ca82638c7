import type { NameTable } from '../dns/names.ts';
import type { Attachments } from './attachments.ts';
import { type Exposer, exposeOwner } from './exposer.ts';

/** What the other hosts are told of a container, or of the host itself. */
export interface OwnLink {
  /** null: it has names only */
  mac: string | null;
  ips: string[];
  names: { hostname: string; address: string }[];
}

/** What {@link ownLink} looks at. */
export interface OwnLinkDeps {
  attachments: Attachments;
  exposer: Exposer;
  names: NameTable;
  /** this host's name */
  peer: string;
  bridgeMac: string;
}

/** A container's addresses and names as they are now; undefined: nothing of it is left. */
export function ownLink(id: string, deps: OwnLinkDeps): OwnLink | undefined {
  const { attachments, exposer, names, peer, bridgeMac } = deps;
  const attachment = attachments.get(id);
  const exposed = id === exposeOwner ? exposer.list() : [];
  const mac = attachment?.mac ?? (exposed.length > 0 ? bridgeMac : null);
  const own = names.list({ containerId: id, origin: peer });
  if (mac === null && own.length === 0) return undefined;
  return {
    mac,
    ips: [...(attachment?.cidrs ?? []), ...exposed].map(({ address }) => address),
    names: own.map(({ hostname, address }) => ({ hostname, address })),
  };
}
