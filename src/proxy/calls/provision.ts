import { posix } from 'node:path';
import type { JsonObject } from './body.ts';

/** What containers are given to be on the network. */
export interface Provision {
  /** folder on the engine's host that the shims are in */
  stateDir: string;
  /** `weave.local.` */
  dnsDomain: string;
  /** server that containers ask first; null: they are not told of it, and get no name in its domain */
  dnsAddress: string | null;
  /** the host's own search domains, as they are now */
  searchDomains(): readonly string[];
}

const shimTarget = '/w';
const shimCommand = '/w/w';

/** A command line with the shim before it, once. */
export function prefixed(command: readonly string[]): string[] {
  return command[0] === shimCommand ? [...command] : [shimCommand, ...command];
}

/** True for a path in a container where the shim's folder goes, however it is spelled. */
export function isShimTarget(path: string): boolean {
  return posix.normalize(`${path}/`) === `${shimTarget}/`;
}

/** Binds a shim's folder at /w, in place of whatever else was to be there. */
export function putShim(host: JsonObject, directory: string): void {
  const binds = host.strings('Binds') ?? [];
  const others = binds.filter((bind) => !isShimTarget(targetOf(bind)));
  host.set('Binds', [...others, `${directory}:${shimTarget}:ro`]);
  host.removeObjects('Mounts', (mount) => isShimTarget(mount.string('Target')));
  host.removeKeys('Tmpfs', isShimTarget);
}

/**
 * Puts our DNS server before the user's, and search domains in unless the user gave one: the host's follow ours, as
 * the engine would have given them to the container.
 * @param hostname of the container; `''` if the engine makes it up
 */
export function putDns(host: JsonObject, provision: Provision, hostname: string): void {
  const { dnsAddress, dnsDomain } = provision;
  if (dnsAddress === null) return;
  const others = (host.strings('Dns') ?? []).filter((server) => server !== dnsAddress);
  host.set('Dns', [dnsAddress, ...others]);
  if ((host.strings('DnsSearch') ?? []).length > 0) return;
  const hosts = provision.searchDomains().filter((domain) => !isSame(domain, dnsDomain));
  // The C library makes a domain of the hostname by itself: the right one if that is one label and ours. Then the root
  // keeps others' domains out.
  const isOurs = isSame(hostname.slice(hostname.indexOf('.') + 1), dnsDomain) || !hostname.includes('.');
  const isEnough = hostname !== '' && isOurs && hosts.length === 0;
  host.set('DnsSearch', isEnough ? ['.'] : [dnsDomain, ...hosts]);
}

/** One domain, whether their final dots are written or not. */
function isSame(a: string, b: string): boolean {
  return a.replace(/\.$/, '').toLowerCase() === b.replace(/\.$/, '').toLowerCase();
}

/** Where a bind goes: `/target`, `source:/target` or `source:/target:mode`. */
function targetOf(bind: string): string {
  const [first = '', second] = bind.split(':');
  return second ?? first;
}
