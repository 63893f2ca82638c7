import { isIp, parseIp } from '../model/address.ts';
import { isWildcard } from '../model/names.ts';
import type { Asker } from './askers.ts';
import type { Found } from './host-names.ts';
import { isSingleLabel, Lookup, type LookupDeps } from './lookup.ts';
import type { NameTable } from './names.ts';
import { servicePorts, splitService } from './services.ts';
import {
  type Answer,
  addressRecord,
  encodeReply,
  pointerRecord,
  type Query,
  type Rcode,
  rcodes,
  serviceRecord,
} from './wire.ts';

/** What the responder asks of the table of names. */
export type Names = LookupDeps['names'] & Pick<NameTable, 'addresses' | 'hostnames' | 'ports'>;

/** Who asks; undefined: unknown. Looked up only where it matters. */
export type WhoAsks = () => Asker | undefined;

/** What {@link Responder} answers from, and how. */
export interface ResponderDeps extends LookupDeps {
  names: Names;
  /** seconds */
  ttl: number;
  /** name of this host */
  self: string;
}

/** Decides what we answer ourselves, and what. */
export class Responder {
  readonly #domain: string;
  readonly #ttl: number;
  readonly #self: string;
  readonly #names: Names;
  readonly #lookup: Lookup;

  constructor(deps: ResponderDeps) {
    this.#domain = deps.domain.toLowerCase();
    this.#ttl = deps.ttl;
    this.#self = deps.self;
    this.#names = deps.names;
    this.#lookup = new Lookup(deps);
  }

  /**
   * Our own answer to a query, at most `limit` bytes long; null if it is not ours to answer.
   * @param asker what it can reach comes first, and of that what is on this host
   */
  answer(query: Query, limit: number, asker: WhoAsks = () => undefined): Buffer | null {
    const { name, type } = query;
    if (query.edns && query.edns.version !== 0) return this.#reply(query, limit, rcodes.BADVERS);
    if (query.class !== 'IN') return this.#reply(query, limit, rcodes.REFUSED);
    const found = this.#lookup.find(name, () => asker()?.project ?? '');
    if (found.length > 0) return this.#found(query, limit, { found, asker });
    const services = this.#services(query, asker);
    if (services !== undefined) return this.#reply(query, limit, rcodes.NOERROR, services);
    if (this.#lookup.isInner(name)) return this.#reply(query, limit, rcodes.NOERROR, []);
    if (name.endsWith(`.${this.#domain}`)) return this.#reply(query, limit, rcodes.NXDOMAIN, []);
    const address = reverseAddress(name);
    const hostnames =
      address === null ? [] : this.#names.hostnames(address).filter((each) => !isWildcard(each));
    if (hostnames.length === 0) return null;
    const asked = type === 'PTR' || type === 'ANY';
    return this.#reply(query, limit, rcodes.NOERROR, asked ? hostnames.map(pointerRecord) : []);
  }

  /**
   * The answer to a name with dots that the world does not know: a container's, as `web.v1` is, whose asker has no
   * search domains. null: nor do we know it
   */
  nested(query: Query, limit: number, asker: WhoAsks = () => undefined): Buffer | null {
    if (query.class !== 'IN' || isSingleLabel(query.name)) return null;
    const found = this.#lookup.find(query.name + this.#domain);
    return found.length > 0 ? this.#found(query, limit, { found, asker }) : null;
  }

  /**
   * The answer when no server upstream gave one. A single label that we don't know is a name of our domain too, so it
   * does not exist, rather than that looking it up failed.
   */
  unanswered(query: Query, limit: number): Buffer {
    return this.#reply(query, limit, isSingleLabel(query.name) ? rcodes.NXDOMAIN : rcodes.SERVFAIL);
  }

  #found(query: Query, limit: number, { found, asker }: { found: readonly Found[]; asker: WhoAsks }): Buffer {
    const { type, name } = query;
    let answers: Answer[] = [];
    if (type === 'A' || type === 'ANY') answers = this.#ordered(found, asker).map(addressRecord);
    else if (type === 'SRV') answers = this.#targets(name, found);
    return this.#reply(query, limit, rcodes.NOERROR, answers);
  }

  /** `_80._tcp.web.weave.local.`: what serves that port; undefined: nothing, or the name has another form */
  #services({ name, type }: Query, asker: WhoAsks): Answer[] | undefined {
    const service = splitService(name);
    if (service === undefined) return undefined;
    const found = this.#lookup.find(service.owner, () => asker()?.project ?? '');
    const targets = this.#targets(service.owner, found, service.port);
    if (targets.length === 0) return undefined;
    return type === 'SRV' || type === 'ANY' ? targets : [];
  }

  /** A record for each port of each container; of replicas each has a name of its own. */
  #targets(name: string, found: readonly Found[], only?: string): Answer[] {
    const full = isSingleLabel(name) ? name + this.#domain : name;
    return found.flatMap(({ address, containerId }) => {
      const ports = servicePorts(this.#names.ports(containerId), only);
      if (ports.length === 0) return [];
      const single = (each: string) => !isWildcard(each) && this.#names.addresses(each).length === 1;
      const target = this.#names.hostnames(address).find(single) ?? full;
      return ports.map((port) => serviceRecord(port, target));
    });
  }

  /** Nearest to the asker first, otherwise in random order. */
  #ordered(found: readonly Found[], asker: WhoAsks): string[] {
    const [only, ...others] = found;
    if (only === undefined) return [];
    if (others.length === 0) return [only.address];
    const subnets = asker()?.subnets ?? [];
    const nearness = new Map<string, number>();
    for (const { address, origin } of found) {
      const ip = parseIp(address);
      const near = subnets.some((subnet) => subnet.contains(ip)) ? 2 : 0;
      const here = origin === this.#self ? 1 : 0;
      nearness.set(address, Math.max(near + here, nearness.get(address) ?? 0));
    }
    // Sorting is stable.
    return shuffle([...nearness.keys()]).sort((a, b) => (nearness.get(b) ?? 0) - (nearness.get(a) ?? 0));
  }

  /** @param answers given: we speak for the name */
  #reply(query: Query, limit: number, rcode: Rcode, answers?: readonly Answer[]): Buffer {
    const authoritative = answers !== undefined;
    return encodeReply(query, { rcode, authoritative, ttl: this.#ttl, answers: answers ?? [], limit });
  }
}

/** `4.3.2.1.in-addr.arpa.` -> `1.2.3.4`, else null. */
function reverseAddress(name: string): string | null {
  const suffix = '.in-addr.arpa.';
  if (!name.endsWith(suffix)) return null;
  const address = name.slice(0, -suffix.length).split('.').reverse().join('.');
  return isIp(address) ? address : null;
}

/** In place, every order as likely (Fisher and Yates): clients that take the first spread over all. */
function shuffle(list: string[]): string[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j] as string, list[i] as string];
  }
  return list;
}
