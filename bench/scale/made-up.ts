/** What simulated hosts and containers are called. */
import type { NameClaim } from '../../src/cluster/claim.ts';
import { Cidr, formatIp } from '../../src/model/address.ts';

export const range = Cidr.parse('10.32.0.0/12');

const byte = (value: number) => (value & 255).toString(16).padStart(2, '0');

/** A host's name. */
export const peerOf = (host: number) => `0e:00:00:${byte(host >> 16)}:${byte(host >> 8)}:${byte(host)}`;

/** A host's underlay address. */
export const addressOf = (host: number) => formatIp(0x0afa0000 + host);

/** A container's id: 64 digits. */
export const hex = (host: number, container: number) =>
  host.toString(16).padStart(32, '0') + container.toString(16).padStart(32, '0');

/** In place of a claim that is watched: these names are nobody else's. */
export const claimed: Pick<NameClaim, 'held' | 'heard' | 'release' | 'onRegained'> = {
  held: true,
  heard: () => {},
  release: () => {},
  onRegained: () => {},
};
