import { parseIp } from '../model/address.ts';
import { isWildcard } from '../model/names.ts';

/** One name of one container, its address, and the peer that published it. */
export interface NameRecord {
  /** fully qualified, lower-case, with the final dot: `bbox1.weave.local.` */
  hostname: string;
  /** dotted quad */
  address: string;
  /** 64 hex digits, or a word such as `weave:expose` for what is no container */
  containerId: string;
  /** name of the peer that answers for it */
  origin: string;
}

/** Fields that must all be equal; those left out match anything. */
export type NameFilter = Partial<NameRecord>;

const fields = ['hostname', 'address', 'containerId', 'origin'] as const;
type Field = (typeof fields)[number];

/** `bbox1`, `Bbox1.weave.local` -> `bbox1.weave.local.`: a single label lies in the domain, all else is full already. */
export function qualify(name: string, domain: string): string {
  const bare = name.toLowerCase().replace(/\.$/, '');
  return bare.includes('.') ? `${bare}.` : `${bare}.${domain.toLowerCase()}`;
}

/** An index entry. Mostly a single record: a set for each would take most of the memory. */
type Bucket = NameRecord | Set<NameRecord>;

/** All names of the network, in memory, indexed by each of their fields. */
export class NameTable {
  readonly #records = new Set<NameRecord>();
  readonly #indexes: Record<Field, Map<string, Bucket>> = {
    hostname: new Map(),
    address: new Map(),
    containerId: new Map(),
    origin: new Map(),
  };
  /** how many names lie below each name other than the domain */
  readonly #inner = new Map<string, number>();
  readonly #ports = new Map<string, readonly string[]>();
  readonly #listeners = new Set<() => void>();
  #wildcards = 0;

  /** Number of records. */
  get size(): number {
    return this.#records.size;
  }

  /** Adds a record, once. @returns false if it was there already */
  add(record: NameRecord): boolean {
    if (this.#matching(record).length > 0) return false;
    const kept = { ...record };
    this.#records.add(kept);
    for (const field of fields) {
      const index = this.#indexes[field];
      const bucket = index.get(kept[field]);
      if (bucket === undefined) index.set(kept[field], kept);
      else if (bucket instanceof Set) bucket.add(kept);
      else index.set(kept[field], new Set([bucket, kept]));
    }
    this.#count(kept.hostname, 1);
    return true;
  }

  /** Removes all matching records; an empty filter matches all. @returns how many */
  remove(filter: NameFilter): number {
    const matching = this.#matching(filter);
    for (const record of matching) {
      this.#records.delete(record);
      for (const field of fields) {
        const index = this.#indexes[field];
        const bucket = index.get(record[field]);
        if (bucket instanceof Set) bucket.delete(record);
        if (bucket === record || recordsOf(bucket).size === 0) index.delete(record[field]);
      }
      this.#count(record.hostname, -1);
    }
    return matching.length;
  }

  /** Replaces all of a peer's records, as they arrive from the store. */
  replaceOrigin(origin: string, records: readonly Omit<NameRecord, 'origin'>[]): void {
    this.remove({ origin });
    for (const record of records) this.add({ ...record, origin });
  }

  /** The records of a name, given as {@link NameRecord.hostname} is; none if there is no such name. */
  records(hostname: string): readonly NameRecord[] {
    const bucket = this.#indexes.hostname.get(hostname);
    if (bucket === undefined) return [];
    return bucket instanceof Set ? [...bucket] : [bucket];
  }

  /** Distinct addresses of a name. */
  addresses(hostname: string): string[] {
    return distinct(this.records(hostname), 'address');
  }

  /** Distinct names of an address. */
  hostnames(address: string): string[] {
    return distinct(recordsOf(this.#indexes.address.get(address)), 'hostname');
  }

  /** The records of the wildcard that a name without records of its own falls under, as RFC 4592 has it. */
  wildcard(hostname: string): readonly NameRecord[] {
    if (this.#wildcards === 0) return [];
    for (let parent = parentOf(hostname); parent !== ''; parent = parentOf(parent)) {
      const found = this.records(`*.${parent}`);
      // A closer name hides wildcards above it.
      if (found.length > 0 || this.#indexes.hostname.has(parent) || this.#inner.has(parent)) return found;
    }
    return [];
  }

  /** True if every name lies directly below the domain: then none is a service's. */
  get isFlat(): boolean {
    return this.#inner.size === 0;
  }

  /** True if there are names below this one. */
  hasBelow(hostname: string): boolean {
    return this.#inner.has(hostname);
  }

  /** TCP and UDP ports, `80/tcp`, that a container serves; empty: none are known. */
  setPorts(containerId: string, ports: readonly string[]): void {
    if (ports.length > 0) this.#ports.set(containerId, ports);
    else this.#ports.delete(containerId);
  }

  ports(containerId: string): readonly string[] {
    return this.#ports.get(containerId) ?? [];
  }

  /** Has the listener told of every change, until the signal. */
  onChange(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /** All records, or those that match, by name, then address as a number. */
  list(filter: NameFilter = {}): NameRecord[] {
    return this.#matching(filter)
      .sort(compare)
      .map((record) => ({ ...record }));
  }

  #count(hostname: string, change: 1 | -1): void {
    if (isWildcard(hostname)) this.#wildcards += change;
    // Above most names is only the domain, which they all share.
    for (let parent = parentOf(hostname); labelsOf(parent) > 2; parent = parentOf(parent)) {
      const count = (this.#inner.get(parent) ?? 0) + change;
      if (count > 0) this.#inner.set(parent, count);
      else this.#inner.delete(parent);
    }
    for (const listener of this.#listeners) listener();
  }

  #matching(filter: NameFilter): NameRecord[] {
    const given = fields.filter((field) => filter[field] !== undefined);
    // The smallest bucket has every match: scanning only that one keeps a container's end cheap among many names.
    let candidates: ReadonlySet<NameRecord> = this.#records;
    for (const field of given) {
      const bucket = recordsOf(this.#indexes[field].get(filter[field] as string));
      if (bucket.size === 0) return [];
      if (bucket.size <= candidates.size) candidates = bucket;
    }
    return [...candidates].filter((record) => given.every((field) => record[field] === filter[field]));
  }
}

/** `a.b.c.` -> `b.c.`; of a single label: `` */
function parentOf(hostname: string): string {
  const dot = hostname.indexOf('.');
  return dot < 0 ? '' : hostname.slice(dot + 1);
}

function labelsOf(hostname: string): number {
  let count = 0;
  for (let at = hostname.indexOf('.'); at >= 0; at = hostname.indexOf('.', at + 1)) count++;
  return count;
}

function recordsOf(bucket: Bucket | undefined): ReadonlySet<NameRecord> {
  return bucket instanceof Set ? bucket : new Set(bucket === undefined ? [] : [bucket]);
}

function distinct(records: Iterable<NameRecord>, field: Field): string[] {
  const values = new Set<string>();
  for (const record of records) values.add(record[field]);
  return [...values];
}

/** By code unit, so the same on every host. */
function compare(a: NameRecord, b: NameRecord): number {
  return (
    order(a.hostname, b.hostname) ||
    parseIp(a.address) - parseIp(b.address) ||
    order(a.containerId, b.containerId) ||
    order(a.origin, b.origin)
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
