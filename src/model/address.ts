import ipaddr from 'ipaddr.js';
import { WeaveError } from '../lib/errors.ts';

const { IPv4 } = ipaddr;

/** An IPv4 address as an unsigned 32-bit number, network order. */
export type Ip4 = number;

/** Text that is an IPv4 address; {@link isIp} tells. */
export type Ip = string & { readonly kind: 'Ip' };

/** Parses dotted-quad IPv4, strictly: four decimal octets, no leading zeros. @throws WeaveError BAD_ADDRESS */
export function parseIp(text: string): Ip4 {
  if (!IPv4.isValidFourPartDecimal(text)) {
    throw new WeaveError('BAD_ADDRESS', `'${text}' is not an IPv4 address; write it like 10.32.0.1`);
  }
  return IPv4.parse(text)
    .toByteArray()
    .reduce((ip, octet) => ip * 256 + octet, 0);
}

/** True if the text is an IPv4 address. */
export function isIp(text: string): text is Ip {
  try {
    parseIp(text);
    return true;
  } catch {
    return false;
  }
}

/** Dotted quad of an address. */
export function formatIp(ip: Ip4): Ip {
  return `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}` as Ip;
}

/** An IPv4 address with the length of its subnet's prefix: `10.32.0.1/12`. Immutable. */
export class Cidr {
  readonly ip: Ip4;
  /** 0 to 32 */
  readonly prefix: number;

  constructor(ip: Ip4, prefix: number) {
    this.ip = ip;
    this.prefix = prefix;
  }

  /** @throws WeaveError BAD_ADDRESS */
  static parse(text: string): Cidr {
    const [ip, prefix, ...rest] = text.split('/');
    if (
      ip === undefined ||
      prefix === undefined ||
      rest.length > 0 ||
      !/^([0-9]|[12][0-9]|3[0-2])$/.test(prefix)
    ) {
      throw new WeaveError(
        'BAD_ADDRESS',
        `'${text}' is not an address in CIDR form; write it like 10.2.1.1/24`,
      );
    }
    return new Cidr(parseIp(ip), Number(prefix));
  }

  get size(): number {
    return 2 ** (32 - this.prefix);
  }

  /** First address of the subnet (the network's own). */
  get first(): Ip4 {
    return this.ip - (this.ip % this.size);
  }

  /** Last address of the subnet (broadcast). */
  get last(): Ip4 {
    return this.first + this.size - 1;
  }

  /** The subnet itself, host bits cleared. */
  get subnet(): Cidr {
    return new Cidr(this.first, this.prefix);
  }

  contains(ip: Ip4): boolean {
    return ip >= this.first && ip <= this.last;
  }

  overlaps(other: Cidr): boolean {
    return this.first <= other.last && other.first <= this.last;
  }

  equals(other: Cidr): boolean {
    return this.ip === other.ip && this.prefix === other.prefix;
  }

  /** The address without its prefix length. */
  get address(): Ip {
    return formatIp(this.ip);
  }

  toString(): string {
    return `${formatIp(this.ip)}/${this.prefix}`;
  }

  toJSON(): string {
    return this.toString();
  }
}
