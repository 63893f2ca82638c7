import { isIp } from '../model/address.ts';
import {
  type Answer,
  addressRecord,
  encodeReply,
  pointerRecord,
  type Query,
  type Rcode,
  rcodes,
} from './wire.ts';

/** What the responder needs from the name table. */
export interface Names {
  /** distinct addresses of a lower-case name with the final dot */
  addresses(hostname: string): string[];
  /** distinct names of a dotted quad */
  hostnames(address: string): string[];
}

/** True for an address in a subnet that the asker is in. */
export type IsNear = (address: string) => boolean;

/** Decides what we answer ourselves, and what. */
export class Responder {
  readonly #domain: string;
  readonly #ttl: number;
  readonly #names: Names;

  /** @param options.domain with the final dot @param options.ttl seconds */
  constructor(options: { domain: string; ttl: number; names: Names }) {
    this.#domain = options.domain.toLowerCase();
    this.#ttl = options.ttl;
    this.#names = options.names;
  }

  /**
   * Our own answer to a query, at most `limit` bytes long; null if it is not ours to answer.
   * @param isNear addresses that the asker can reach, which come first
   */
  answer(query: Query, limit: number, isNear: IsNear = () => false): Buffer | null {
    const { name, type } = query;
    if (query.edns && query.edns.version !== 0) return this.#reply(query, limit, rcodes.BADVERS);
    if (query.class !== 'IN') return this.#reply(query, limit, rcodes.REFUSED);
    const addresses = this.#names.addresses(isSingleLabel(name) ? name + this.#domain : name);
    if (addresses.length > 0) {
      return this.#addresses(query, limit, nearFirst(shuffle(addresses), isNear));
    }
    if (name === this.#domain) return this.#reply(query, limit, rcodes.NOERROR, []);
    if (name.endsWith(`.${this.#domain}`)) return this.#reply(query, limit, rcodes.NXDOMAIN, []);
    const address = reverseAddress(name);
    const hostnames = address === null ? [] : this.#names.hostnames(address);
    if (hostnames.length === 0) return null;
    const asked = type === 'PTR' || type === 'ANY';
    return this.#reply(query, limit, rcodes.NOERROR, asked ? hostnames.map(pointerRecord) : []);
  }

  /**
   * The answer to a name with dots that the world does not know: a container's, as `web.v1` is, whose asker has no
   * search domains. null: nor do we know it
   */
  nested(query: Query, limit: number, isNear: IsNear = () => false): Buffer | null {
    if (query.class !== 'IN' || isSingleLabel(query.name)) return null;
    const addresses = this.#names.addresses(query.name + this.#domain);
    if (addresses.length === 0) return null;
    return this.#addresses(query, limit, nearFirst(shuffle(addresses), isNear));
  }

  /**
   * The answer when no server upstream gave one. A single label that we don't know is a name of our domain too, so it
   * does not exist, rather than that looking it up failed.
   */
  unanswered(query: Query, limit: number): Buffer {
    return this.#reply(query, limit, isSingleLabel(query.name) ? rcodes.NXDOMAIN : rcodes.SERVFAIL);
  }

  #addresses(query: Query, limit: number, addresses: readonly string[]): Buffer {
    const asked = query.type === 'A' || query.type === 'ANY';
    return this.#reply(query, limit, rcodes.NOERROR, asked ? addresses.map(addressRecord) : []);
  }

  /** @param answers given: we speak for the name */
  #reply(query: Query, limit: number, rcode: Rcode, answers?: readonly Answer[]): Buffer {
    const authoritative = answers !== undefined;
    return encodeReply(query, { rcode, authoritative, ttl: this.#ttl, answers: answers ?? [], limit });
  }
}

/** `bbox1.`, but not the root. */
function isSingleLabel(name: string): boolean {
  return name.length > 1 && name.indexOf('.') === name.length - 1;
}

/** `4.3.2.1.in-addr.arpa.` -> `1.2.3.4`, else null. */
function reverseAddress(name: string): string | null {
  const suffix = '.in-addr.arpa.';
  if (!name.endsWith(suffix)) return null;
  const address = name.slice(0, -suffix.length).split('.').reverse().join('.');
  return isIp(address) ? address : null;
}

function nearFirst(addresses: readonly string[], isNear: IsNear): readonly string[] {
  if (addresses.length < 2) return addresses;
  const near = addresses.filter(isNear);
  return near.length === 0 ? addresses : [...near, ...addresses.filter((address) => !near.includes(address))];
}

/** In place, every order as likely (Fisher and Yates): clients that take the first spread over all. */
function shuffle(list: string[]): string[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j] as string, list[i] as string];
  }
  return list;
}
