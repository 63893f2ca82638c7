import { WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { Cidr, type Ip4 } from '../model/address.ts';
import { isContainer } from '../model/owner.ts';
import type { AddressRequest } from '../model/request.ts';
import { addressRecord } from '../store/records/address.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';
import type { Range, Space } from './space.ts';

/** The range of a host that allocates no addresses: only those given by users. */
export const noRange = new Cidr(0, 32);

/** An address in use. */
export interface Holding {
  /** container id, or `weave:expose` */
  owner: string;
  cidr: Cidr;
}

interface Held extends Holding {
  /** on disk; rejected if it never got there */
  saved: Promise<void>;
}

/**
 * Gives addresses of this host's part of the range to owners: lowest free first, the same again to the same owner,
 * on disk before it is handed out. Decides in memory, in one turn of the event loop, so that two callers never
 * see the same address free. Errors: WeaveError IPAM_FULL, IPAM_CONFLICT, BAD_ADDRESS, STORE_UNAVAILABLE.
 */
export class Allocator {
  readonly range: Cidr;
  readonly defaultSubnet: Cidr;
  readonly #store: Store;
  readonly #space: Space;
  readonly #held = new Map<Ip4, Held>();
  readonly #owners = new Map<string, Set<Held>>();
  /** By subnet and range: nothing of it below `next` is free. Makes 'lowest first' cheap when thousands are taken. */
  readonly #floors = new Map<string, { first: Ip4; next: Ip4 }>();

  private constructor(fields: { range: Cidr; defaultSubnet: Cidr; store: Store; space: Space }) {
    this.range = fields.range;
    this.defaultSubnet = fields.defaultSubnet;
    this.#store = fields.store;
    this.#space = fields.space;
  }

  /** Reads back earlier allocations. */
  static async load(fields: {
    range: Cidr;
    defaultSubnet: Cidr;
    store: Store;
    space: Space;
    logger: Logger;
  }): Promise<Allocator> {
    const allocator = new Allocator(fields);
    const reader = new RecordReader(addressRecord, fields.logger);
    for (const { value } of reader.readAll(await fields.store.list(addressRecord.prefix))) {
      allocator.#take({ ...value, saved: Promise.resolve() });
    }
    return allocator;
  }

  /** Serves one request of a container. @returns the address with its subnet's prefix length */
  request(owner: string, request: AddressRequest): Promise<Cidr> {
    if (request.kind === 'claim') return this.claim(owner, request.cidr);
    return this.allocate(owner, request.kind === 'default' ? this.defaultSubnet : request.subnet);
  }

  /** The owner's address in this subnet, or else the lowest that is free. */
  async allocate(owner: string, subnet: Cidr): Promise<Cidr> {
    if (this.range.equals(noRange)) {
      throw new WeaveError(
        'BAD_ADDRESS',
        "this host allocates no addresses (it was launched with --ipalloc-range ''); give the address, such as 10.2.1.1/24",
      );
    }
    if (!this.range.contains(subnet.first) || !this.range.contains(subnet.last)) {
      throw new WeaveError(
        'BAD_ADDRESS',
        `${subnet} is not inside the address range ${this.range}; use a subnet of it, or launch with an --ipalloc-range that contains it`,
      );
    }
    const mine = this.#find(owner, subnet);
    if (mine) return this.#whenSaved(mine);
    for (;;) {
      const ip = this.#lowestFree(subnet);
      if (ip !== undefined) return this.#hold(owner, new Cidr(ip, subnet.prefix));
      if (!(await this.#space.grow(subnet))) {
        throw new WeaveError(
          'IPAM_FULL',
          `no free address in ${subnet}; remove containers that hold one, or use a larger subnet`,
        );
      }
      // While the space grew, another call for the same owner may have been served.
      const meanwhile = this.#find(owner, subnet);
      if (meanwhile) return this.#whenSaved(meanwhile);
    }
  }

  /** Exactly this address. Outside the range it is unmanaged, and just returned. */
  async claim(owner: string, cidr: Cidr): Promise<Cidr> {
    if (!this.range.contains(cidr.ip)) return cidr;
    if (cidr.prefix < 31 && (cidr.ip === cidr.first || cidr.ip === cidr.last)) {
      throw new WeaveError(
        'BAD_ADDRESS',
        `${cidr.address} is the ${cidr.ip === cidr.first ? 'network' : 'broadcast'} address of ${cidr.subnet}; choose one between`,
      );
    }
    const holder = this.#held.get(cidr.ip);
    if (holder && holder.owner !== owner) {
      throw new WeaveError(
        'IPAM_CONFLICT',
        `address ${cidr.address} is already in use by ${shortOwner(holder.owner)}; choose another, or remove that container`,
      );
    }
    if (holder) return this.#whenSaved(holder);
    await this.#space.claim(cidr.ip);
    // The space may have had to ask others; look again.
    if (this.#held.has(cidr.ip)) return this.claim(owner, cidr);
    return this.#hold(owner, cidr);
  }

  /**
   * Notes an address that the owner has in fact.
   * @param isGone true for an owner of which the records, which may be old, are not to be believed
   * @returns false when that is known, or not this range's, or when the records say that another has it
   */
  async adopt(
    owner: string,
    cidr: Cidr,
    isGone: (holder: string) => boolean = () => false,
  ): Promise<boolean> {
    if (!this.range.contains(cidr.ip)) return false;
    const holder = this.#held.get(cidr.ip)?.owner;
    if (holder !== undefined) {
      if (holder === owner || !isGone(holder)) return false;
      await this.release(holder, cidr.ip);
    }
    await this.#hold(owner, cidr);
    return true;
  }

  /** Releases one address of an owner, or all of them. @returns those released */
  async release(owner: string, ip?: Ip4): Promise<Cidr[]> {
    const gone = [...(this.#owners.get(owner) ?? [])].filter(
      (held) => ip === undefined || held.cidr.ip === ip,
    );
    if (gone.length === 0) return [];
    await Promise.allSettled(gone.map((held) => held.saved));
    await this.#store.commit(gone.map(({ cidr }) => addressRecord.write(cidr.address, null)));
    for (const held of gone) this.#drop(held);
    this.#space.released();
    return gone.map(({ cidr }) => cidr);
  }

  /** Addresses of an owner, in the order in which they were given. */
  owned(owner: string): Cidr[] {
    return [...(this.#owners.get(owner) ?? [])].map(({ cidr }) => cidr);
  }

  owners(): string[] {
    return [...this.#owners.keys()];
  }

  isHeld(ip: Ip4): boolean {
    return this.#held.has(ip);
  }

  /** Number of addresses in use on this host. */
  get active(): number {
    return this.#held.size;
  }

  #find(owner: string, subnet: Cidr): Held | undefined {
    for (const held of this.#owners.get(owner) ?? []) {
      if (held.cidr.prefix === subnet.prefix && subnet.contains(held.cidr.ip)) return held;
    }
    return undefined;
  }

  #lowestFree(subnet: Cidr): Ip4 | undefined {
    for (const range of this.#space.ranges(subnet)) {
      const ip = this.#lowestFreeIn(range, subnet);
      if (ip !== undefined) return ip;
    }
    return undefined;
  }

  #lowestFreeIn(range: Range, subnet: Cidr): Ip4 | undefined {
    const key = `${subnet} ${range.first}`;
    const first = Math.max(range.first, subnet.first + 1);
    const last = Math.min(range.last, subnet.last - 1);
    let next = this.#floors.get(key)?.next ?? first;
    while (next <= last && this.#held.has(next)) next++;
    this.#floors.set(key, { first, next });
    return next <= last ? next : undefined;
  }

  #hold(owner: string, cidr: Cidr): Promise<Cidr> {
    const saved = this.#store.commit([addressRecord.write(cidr.address, { owner, cidr })]).then(() => {});
    const held = { owner, cidr, saved };
    this.#take(held);
    saved.catch(() => this.#drop(held));
    return this.#whenSaved(held);
  }

  async #whenSaved(held: Held): Promise<Cidr> {
    await held.saved;
    return held.cidr;
  }

  #take(held: Held): void {
    this.#held.set(held.cidr.ip, held);
    const mine = this.#owners.get(held.owner) ?? new Set();
    this.#owners.set(held.owner, mine.add(held));
  }

  #drop(held: Held): void {
    this.#held.delete(held.cidr.ip);
    const mine = this.#owners.get(held.owner);
    mine?.delete(held);
    if (mine?.size === 0) this.#owners.delete(held.owner);
    for (const floor of this.#floors.values()) {
      if (floor.first <= held.cidr.ip && held.cidr.ip < floor.next) floor.next = held.cidr.ip;
    }
  }
}

function shortOwner(owner: string): string {
  return isContainer(owner) ? `container ${owner.slice(0, 12)}` : owner;
}
