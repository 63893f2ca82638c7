import { hasCode, WeaveError } from '../lib/errors.ts';
import { Cidr } from './address.ts';

/** One address that a container asks for. */
export type AddressRequest =
  /** exactly this address */
  | { kind: 'claim'; cidr: Cidr }
  /** any free one of this subnet */
  | { kind: 'subnet'; subnet: Cidr }
  /** any free one of the default subnet */
  | { kind: 'default' };

/**
 * Parses an address request from WEAVE_CIDR or the command line: `IP/LEN`, `ip:IP/LEN`, `net:SUBNET`, `net:default`.
 * @throws WeaveError BAD_WEAVE_CIDR
 */
export function parseRequest(text: string): AddressRequest {
  try {
    if (text === 'net:default') return { kind: 'default' };
    if (text.startsWith('net:')) return { kind: 'subnet', subnet: parseSubnet(text.slice(4)) };
    return { kind: 'claim', cidr: parseClaim(text.startsWith('ip:') ? text.slice(3) : text) };
  } catch (error) {
    if (!hasCode(error, 'BAD_ADDRESS')) throw error;
    throw new WeaveError(
      'BAD_WEAVE_CIDR',
      `cannot use '${text}' as a container's address: ${error.message}; forms are 10.2.1.1/24, ip:10.2.1.1/24, net:10.2.2.0/24, net:default and none`,
      { cause: error },
    );
  }
}

/**
 * Parses a whole WEAVE_CIDR value: forms separated by spaces.
 * @returns `none` if the container wants no address; an empty value asks for one of the default subnet
 * @throws WeaveError BAD_WEAVE_CIDR
 */
export function parseWeaveCidr(value: string): AddressRequest[] | 'none' {
  const words = value.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return [{ kind: 'default' }];
  if (words.includes('none')) {
    if (words.length === 1) return 'none';
    throw new WeaveError(
      'BAD_WEAVE_CIDR',
      `WEAVE_CIDR='${value}' mixes none with addresses; give one or the other`,
    );
  }
  return words.map(parseRequest);
}

/** The kernel takes some without a word, and then the container has none, or no other routes. */
function parseClaim(text: string): Cidr {
  const cidr = Cidr.parse(text);
  const octet = cidr.ip >>> 24;
  const isMulticast = octet >= 224 && octet < 240;
  if (cidr.first === 0 || octet === 127 || isMulticast || cidr.address === '255.255.255.255')
    throw new WeaveError('BAD_ADDRESS', `no container can be reached at ${cidr}`);
  return cidr;
}

/** A subnet has no host bits: with them, one of its addresses may be meant. */
function parseSubnet(text: string): Cidr {
  const cidr = Cidr.parse(text);
  if (cidr.equals(cidr.subnet)) return cidr;
  throw new WeaveError('BAD_ADDRESS', `${text} is an address within a subnet; the subnet is ${cidr.subnet}`);
}
