import { posix } from 'node:path';
import type { Created } from '../../model/created.ts';
import type { ShimBind } from '../../model/shim.ts';
import type { JsonObject } from './body.ts';
import { bindsShim, partsOf } from './placement.ts';

/** What a container is given to be on the network. */
export interface Provision {
  /** folder on the engine's host that the shims are in */
  stateDir: string;
  /** `weave.local.` */
  dnsDomain: string;
  /** our name server, for containers created on a network; empty: they are not told about it */
  dnsServers(networkMode: string): readonly string[];
  /** true for an address that we gave to containers as a name server */
  isOurDns(server: string): boolean;
  /** the host's own search domains, as they are now */
  searchDomains(): readonly string[];
}

/** Those members of a HostConfig that we add to, as its client has them. */
export function hostAsked(host: JsonObject): Pick<Created, 'dns' | 'dnsSearch' | 'binds'> {
  return {
    dns: host.strings('Dns') ?? null,
    dnsSearch: host.strings('DnsSearch') ?? null,
    binds: host.strings('Binds')?.filter((bind) => !bindsShim(bind)) ?? null,
  };
}

/** Binds the shim's folder, once, and in place of what else was to be there. */
export function putShim(host: JsonObject, { source, target }: ShimBind): void {
  const isThere = (bind: string) => posix.normalize(`${partsOf(bind).target}/`) === `${target}/`;
  const others = (host.strings('Binds') ?? []).filter((bind) => !bindsShim(bind) && !isThere(bind));
  host.set('Binds', [...others, `${source}:${target}:ro`]);
}

/**
 * Puts our DNS server before the user's, and search domains in unless the user gave one: the host's follow ours, as
 * the engine would have given them to the container.
 * @param networkMode what the container is created on
 * @param hostname of the container; `''` if the engine makes it up
 */
export function putDns(
  host: JsonObject,
  { networkMode, hostname }: { networkMode: string; hostname: string },
  provision: Provision,
): void {
  const { dnsDomain } = provision;
  const ours = provision.dnsServers(networkMode);
  if (ours.length === 0) return;
  const others = (host.strings('Dns') ?? []).filter((server) => !provision.isOurDns(server));
  host.set('Dns', [...ours, ...others]);
  if ((host.strings('DnsSearch') ?? []).length > 0) return;
  const hosts = provision.searchDomains().filter((domain) => !isSame(domain, dnsDomain));
  // The C library derives a domain from the hostname: the right one if it is one label and ours. Then the root
  // keeps others' domains out.
  const isOurs = isSame(hostname.slice(hostname.indexOf('.') + 1), dnsDomain) || !hostname.includes('.');
  const isEnough = hostname !== '' && isOurs && hosts.length === 0;
  host.set('DnsSearch', isEnough ? ['.'] : [dnsDomain, ...hosts]);
}

/** One domain, whether their final dots are written or not. */
function isSame(a: string, b: string): boolean {
  return a.replace(/\.$/, '').toLowerCase() === b.replace(/\.$/, '').toLowerCase();
}
