import type { Cidr, Ip4 } from '../model/address.ts';

/** Addresses from first to last, both included. */
export interface Range {
  first: Ip4;
  last: Ip4;
}

/** Which part of the addresses this host may give out; among several hosts, the parts never overlap. */
export interface Space {
  /** This host's parts of a subnet, ascending. */
  ranges(subnet: Cidr): readonly Range[];
  /** Tries to get more of a subnet. @returns false when there is none to be had */
  grow(subnet: Cidr): Promise<boolean>;
  /** Makes one address this host's to give. @throws WeaveError IPAM_CONFLICT when another host may give it */
  claim(ip: Ip4): Promise<void>;
  /** Addresses were given back; what is empty may go to others. */
  released(): void;
}

/** The space of a host that is alone: all of the range. */
export const wholeSpace: Space = {
  ranges: (subnet) => [{ first: subnet.first, last: subnet.last }],
  grow: async () => false,
  claim: async () => {},
  released: () => {},
};
