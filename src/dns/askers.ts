import type { Cidr } from '../model/address.ts';

/** A container that asks. */
export interface Asker {
  /** it has an address in each of these on our network */
  subnets: readonly Cidr[];
  /** the servers that its user gave it, `--dns`; empty: the host's */
  servers: readonly string[];
  /** the Compose project it is part of; empty: none */
  project: string;
}

/** Finds the container that a query comes from. */
export interface Askers {
  /** undefined: unknown */
  of(address: string): Asker | undefined;
}
