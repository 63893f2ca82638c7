import type { Cidr } from '../model/address.ts';

/** A container that asks. */
export interface Asker {
  /** it has an address in each of these on our network */
  subnets: readonly Cidr[];
  /** the servers that its user gave it, `--dns`; empty: the host's */
  servers: readonly string[];
}

/** Who has an address of those that queries come from. */
export interface Askers {
  /** undefined: nobody that we know */
  of(address: string): Asker | undefined;
}
