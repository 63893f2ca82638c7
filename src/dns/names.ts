import { parseIp } from '../lib/cidr.ts';

/** One name of one container: who has which address, and which peer says so. */
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

/** All names of the network, in memory, indexed by each of their fields. */
export class NameTable {
  readonly #records = new Map<string, NameRecord>();
  readonly #indexes: Record<Field, Map<string, Set<NameRecord>>> = {
    hostname: new Map(),
    address: new Map(),
    containerId: new Map(),
    origin: new Map(),
  };

  /** Number of records. */
  get size(): number {
    return this.#records.size;
  }

  /** Adds a record; one that is there already stays a single one. @returns false if it was there */
  add(record: NameRecord): boolean {
    const key = keyOf(record);
    if (this.#records.has(key)) return false;
    const kept = { ...record };
    this.#records.set(key, kept);
    for (const field of fields) {
      const bucket = this.#indexes[field].get(kept[field]);
      if (bucket) bucket.add(kept);
      else this.#indexes[field].set(kept[field], new Set([kept]));
    }
    return true;
  }

  /** Removes all records that match; an empty filter matches all. @returns how many went */
  remove(filter: NameFilter): number {
    const matching = this.#matching(filter);
    for (const record of matching) {
      this.#records.delete(keyOf(record));
      for (const field of fields) {
        const bucket = this.#indexes[field].get(record[field]);
        bucket?.delete(record);
        if (bucket?.size === 0) this.#indexes[field].delete(record[field]);
      }
    }
    return matching.length;
  }

  /** Makes `records` all that a peer has; for another host's names as they arrive from the store. */
  replaceOrigin(origin: string, records: readonly Omit<NameRecord, 'origin'>[]): void {
    this.remove({ origin });
    for (const record of records) this.add({ ...record, origin });
  }

  /** Distinct addresses of a name, given as {@link NameRecord.hostname} is; none if there is no such name. */
  addresses(hostname: string): string[] {
    return distinct(this.#indexes.hostname.get(hostname), 'address');
  }

  /** Distinct names of an address. */
  hostnames(address: string): string[] {
    return distinct(this.#indexes.address.get(address), 'hostname');
  }

  /** All records, or those that match, by name, then address as a number. */
  list(filter: NameFilter = {}): NameRecord[] {
    return this.#matching(filter)
      .map((record) => ({
        record,
        order: [record.hostname, parseIp(record.address), record.containerId, record.origin],
      }))
      .sort((a, b) => compare(a.order, b.order))
      .map(({ record }) => ({ ...record }));
  }

  #matching(filter: NameFilter): NameRecord[] {
    const given = fields.filter((field) => filter[field] !== undefined);
    // The smallest bucket holds every match: looking through it alone keeps a container's end cheap among many names.
    let candidates: Iterable<NameRecord> = this.#records.values();
    let size = this.#records.size;
    for (const field of given) {
      const bucket = this.#indexes[field].get(filter[field] as string);
      if (bucket === undefined) return [];
      if (bucket.size <= size) {
        candidates = bucket;
        size = bucket.size;
      }
    }
    return [...candidates].filter((record) => given.every((field) => record[field] === filter[field]));
  }
}

function keyOf(record: NameRecord): string {
  return fields.map((field) => record[field]).join(' ');
}

function distinct(records: Iterable<NameRecord> | undefined, field: Field): string[] {
  const values = new Set<string>();
  for (const record of records ?? []) values.add(record[field]);
  return [...values];
}

/** Orders arrays of the same shape element by element; text by code unit, so the same on every host. */
function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [i, x] of a.entries()) {
    const y = b[i] as string | number;
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}
