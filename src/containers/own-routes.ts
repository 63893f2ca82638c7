import { formatIp } from '../model/address.ts';

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
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([iface, destination = '', , , , , found, mask = '', mtu]) => {
      if (iface !== link || Number(found) !== metric) return [];
      const ip = formatIp(Buffer.from(destination, 'hex').readUInt32LE());
      const ones = [...Number.parseInt(mask, 16).toString(2)].filter((bit) => bit === '1').length;
      return [{ prefix: `${ip}/${ones}`, mtu: Number(mtu) }];
    });
}
