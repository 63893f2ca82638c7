/** Parsers of flags' values. Each takes the flag's name for its message. @throws WeaveError USAGE */
import { messageOf, WeaveError } from '../lib/errors.ts';
import { Cidr, isIp } from '../model/address.ts';
import { type Endpoint, hostAndPort, parseEndpoint } from '../model/endpoint.ts';

/** The opposite of a `no-` flag. */
export function not(given: boolean): boolean {
  return !given;
}

/** A subnet, without host bits: `10.2.0.0/16`. */
export function subnet(text: string, what: string): Cidr {
  const cidr = anyCidr(text, what);
  if (cidr.equals(cidr.subnet)) return cidr;
  throw new WeaveError(
    'USAGE',
    `${what}: ${text} is an address within a subnet; the subnet is ${cidr.subnet}`,
  );
}

/** A subnet by any address in it, as Weave Net takes it. */
export function masked(text: string, what: string): string {
  return anyCidr(text, what).subnet.toString();
}

function anyCidr(text: string, what: string): Cidr {
  return attempt(what, () => Cidr.parse(text));
}

/** A subnet with usable addresses, which exclude the first and the last; null for nothing. */
export function rangeOrNone(text: string, what: string): Cidr | null {
  if (text === '') return null;
  const cidr = subnet(text, what);
  if (cidr.size > 2) return cidr;
  throw new WeaveError('USAGE', `${what}: ${cidr} has no usable address; its prefix can be /30 at most`);
}

/** Values separated by commas. */
export function byCommas<T>(parse: (text: string, what: string) => T): (text: string, what: string) => T[] {
  return (text, what) =>
    text
      .split(',')
      .filter((part) => part !== '')
      .map((part) => parse(part, what));
}

/** A DNS domain; with its final dot, in small letters. */
export function domain(text: string, what: string): string {
  const name = text.toLowerCase().replace(/\.$/, '');
  if (
    /^(?!.{254})([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(name)
  ) {
    return `${name}.`;
  }
  throw new WeaveError('USAGE', `${what}: '${text}' is not a domain name`);
}

/** `IP:PORT`; nothing, localhost: loopback. */
function ipPort(text: string, what: string): string {
  const endpoint = listenable(text, what, 0);
  if (endpoint.kind === 'tcp') return hostAndPort(endpoint);
  throw new WeaveError('USAGE', `${what}: '${text}' is not of the form IP:PORT`);
}

/** `IP:PORT`, or null for `off` and nothing. */
export function ipPortOrOff(text: string, what: string): string | null {
  return text === 'off' || text === '' ? null : ipPort(text, what);
}

export function ip(text: string, what: string): string {
  if (isIp(text)) return text;
  throw new WeaveError('USAGE', `${what}: '${text}' is not an IPv4 address`);
}

/**
 * `IP` or `IP:PORT` of the name server, which containers are told to ask: so not 0.0.0.0, of which a container would
 * ask itself, and which would leave open to whom we listen there.
 */
export function dnsAddress(text: string, what: string): string {
  const address = text.includes(':') ? ipPort(text, what) : ip(text, what);
  const [host = ''] = address.split(':');
  if (isIp(host) && host !== '0.0.0.0') return address;
  throw new WeaveError(
    'USAGE',
    `${what}: containers can't ask at '${text}'; name one IPv4 address of this host; without the flag it is the docker bridge's`,
  );
}

/** Where a server can listen: an IP, as a name may have many addresses. */
export function listenable(text: string, what: string, port: number): Endpoint {
  const endpoint = endpointOf(text, what, port);
  if (endpoint.kind !== 'tcp') return endpoint;
  const host = endpoint.host === 'localhost' ? '127.0.0.1' : endpoint.host;
  if (endpoint.port > 0 && (host.includes(':') || isIp(host)))
    return { kind: 'tcp', host, port: endpoint.port };
  throw new WeaveError('USAGE', `${what}: '${text}' is not of the form unix:///path or tcp://IP:PORT`);
}

/** What a client can connect to; a name stays a name, for its certificate. */
export function connectable(text: string, what: string, port: number): Endpoint {
  const endpoint = endpointOf(text, what, port);
  if (endpoint.kind === 'unix' || (endpoint.kind === 'tcp' && endpoint.port > 0)) return endpoint;
  throw new WeaveError('USAGE', `${what}: '${text}' is not of the form unix:///path or tcp://HOST:PORT`);
}

function endpointOf(text: string, what: string, port: number): Endpoint {
  return attempt(what, () => parseEndpoint(text, port));
}

/** The MAC of one interface. */
export function mac(text: string, what: string): string {
  const name = text.toLowerCase();
  // The bridge gets it as its address, and a group address (odd first octet) can't be one.
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(name) && name !== '00:00:00:00:00:00') return name;
  throw new WeaveError(
    'USAGE',
    `${what}: '${text}' is not the MAC of one interface; write it like 0e:1d:12:1a:1a:88`,
  );
}

/** A whole number. */
export function number({ min, max }: { min: number; max: number }): (text: string, what: string) => number {
  return (text, what) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new WeaveError('USAGE', `${what}: '${text}' is not a number from ${min} to ${max}`);
  };
}

/** `90s`, `30m`, `1h`, `2d`. @returns ms */
export function duration(text: string, what: string): number {
  const [, digits, unit = ''] = /^([1-9]\d{0,4})([smhd])$/.exec(text) ?? [];
  const seconds = { s: 1, m: 60, h: 3_600, d: 86_400 }[unit];
  if (seconds !== undefined) return Number(digits) * seconds * 1000;
  throw new WeaveError('USAGE', `${what}: '${text}' is no time; write 30m, 1h or 2d`);
}

/** One of a few words. */
export function oneOf<const T extends string>(choices: readonly T[]): (text: string, what: string) => T {
  return (text, what) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new WeaveError('USAGE', `${what}: '${text}' is not one of ${choices.join(', ')}`);
  };
}

function attempt<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new WeaveError('USAGE', `${what}: ${messageOf(error)}`, { cause: error });
  }
}
