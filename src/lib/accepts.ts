import { connect } from 'node:net';

/** True when something accepts connections on a unix socket. @param target its path; or host and port */
export function acceptsConnections(target: string | { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(typeof target === 'string' ? { path: target } : target);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
