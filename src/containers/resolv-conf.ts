import { isIP } from 'node:net';
import { Cidr } from '../model/address.ts';

/** A container's DNS servers: ours, and those its user gave it. */
export interface Servers {
  isOurs: (server: string) => boolean;
  /** that our server queries in the container's place */
  forwarded: readonly string[];
}

/**
 * Takes the servers that we ask in the container's place out of its resolv.conf. musl asks all servers at once and
 * believes the first that says a name does not exist; glibc asks the second only when ours is silent. All other lines
 * stay. Where ours is not there, nobody was told of us: all stays.
 * @param text one byte a character
 */
export function throughOurs(text: string, { isOurs, forwarded }: Servers): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  if (!lines.some((line) => isOurs(serverOf(line)))) return text;
  return lines.filter((line) => !forwarded.includes(serverOf(line))).join('');
}

/** Puts them back after ours, as the engine wrote them. */
export function pastOurs(text: string, { isOurs, forwarded }: Servers): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const last = lines.findLastIndex((line) => isOurs(serverOf(line)));
  const missing = forwarded.filter((server) => !lines.some((line) => serverOf(line) === server));
  if (last < 0) return text;
  const before = lines
    .slice(0, last + 1)
    .join('')
    .replace(/([^\n])$/, '$1\n');
  return [before, ...missing.map((server) => `nameserver ${server}\n`), ...lines.slice(last + 1)].join('');
}

function serverOf(line: string): string {
  return /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '';
}

/**
 * Those of a container's servers that we ask in its place: none that is ourselves, and none that only it reaches, on our
 * own network or in the container itself.
 */
export function forwardable(
  servers: readonly string[],
  subnets: readonly Cidr[],
  isOurs: (server: string) => boolean,
): string[] {
  const others = servers.filter((server) => isIP(server) !== 0 && !isOurs(server));
  const isInside = (server: string) => {
    if (isIP(server) !== 4) return server === '::1';
    const { ip } = Cidr.parse(`${server}/32`);
    return ip >>> 24 === 127 || subnets.some((subnet) => subnet.contains(ip));
  };
  return others.some(isInside) ? [] : others;
}
