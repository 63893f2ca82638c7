import { formatIp, parseIp } from '../model/address.ts';

/** Identifies our routes; the container's own routes to the same place take precedence. */
const metric = 6784;

/** As `ip route` is told of it. */
export const routeMark = `metric ${metric}`;

/** A route that we made in a container. */
export interface OwnRoute {
  /** `10.32.0.5/32` */
  prefix: string;
  mtu: number;
}

/**
 * @param table of /proc/<pid>/net/route: addresses are in hexadecimal, their lowest byte first on x86-64 and arm64; the
 * column of the MTU shows the largest TCP segment and its headers, so our routes set that too
 */
export function ownRoutes(table: string, link: string): OwnRoute[] {
  return rowsOf(table).flatMap(({ iface, destination, mask, metric: found, mtu }) => {
    if (iface !== link || found !== metric) return [];
    const ones = [...mask.toString(2)].filter((bit) => bit === '1').length;
    return [{ prefix: `${formatIp(destination)}/${ones}`, mtu }];
  });
}

/** True if something else than this link leads to an address. @param table as above */
export function reaches(table: string, address: string, link: string): boolean {
  const ip = parseIp(address);
  return rowsOf(table).some(
    ({ iface, destination, mask }) => iface !== link && (ip & mask) >>> 0 === destination,
  );
}

interface Row {
  iface: string;
  destination: number;
  mask: number;
  metric: number;
  mtu: number;
}

function rowsOf(table: string): Row[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([iface = '', destination = '', , , , , metric, mask = '', mtu]) => {
      if (mask === '') return [];
      const read = (hex: string) => Buffer.from(hex, 'hex').readUInt32LE();
      return [
        { iface, destination: read(destination), mask: read(mask), metric: Number(metric), mtu: Number(mtu) },
      ];
    });
}
