import type { Cidr, Ip4 } from '../model/address.ts';

/** Addresses from first to last, both included. */
export interface Range {
  first: Ip4;
  last: Ip4;
}

/** The addresses that this host may allocate; those of several hosts never overlap. */
export interface Space {
  /** This host's parts of a subnet, ascending. */
  ranges(subnet: Cidr): readonly Range[];
  /** Tries to get more of a subnet. @returns false if there is none */
  grow(subnet: Cidr): Promise<boolean>;
  /** Makes one address this host's. @throws WeaveError IPAM_CONFLICT if another host owns it */
  claim(ip: Ip4): Promise<void>;
  /** Addresses were released; empty parts may go to others. */
  released(): void;
}

/** The space of a single host: all of the range. */
export const wholeSpace: Space = {
  ranges: (subnet) => [{ first: subnet.first, last: subnet.last }],
  grow: async () => false,
  claim: async () => {},
  released: () => {},
};
