import { createSocket } from 'node:dgram';
import { heartbeatPort, vxlanPort } from '../model/ports.ts';
import { queryJson } from './ip.ts';

/** Ports at which other hosts are reached. */
const ports = [heartbeatPort, vxlanPort];

/**
 * True if this host's own firewall lets a datagram out to another host; one of a byte, which is no frame and no
 * question, so that nobody answers it. The kernel tells at once what its output chains have dropped.
 */
export async function letsOut(address: string): Promise<boolean> {
  const socket = createSocket('udp4').unref();
  socket.on('error', () => {});
  try {
    for (const port of ports) {
      const error = await new Promise<NodeJS.ErrnoException | null>((sent) =>
        socket.send(Buffer.alloc(1), port, address, sent),
      );
      if (error?.code === 'EPERM') return false;
    }
    return true;
  } finally {
    socket.close();
  }
}

/** The link by which this host goes to an address; undefined: there is no way. */
export async function linkTo(address: string): Promise<string | undefined> {
  const routes = await queryJson<{ dev?: string }>(['ip', 'route', 'get', address]).catch(() => []);
  return routes[0]?.dev;
}
