import { WeaveError } from '../lib/errors.ts';

/** Where something listens: a unix socket, host and port, or sockets that systemd passed on. */
export type Endpoint =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'fd' };

/** Port of the proxy where none is given. */
export const defaultPort = 12375;

/**
 * Parses `unix:///path`, `/path`, `tcp://host[:port]`, `host[:port]`, `[v6][:port]`, `fd://`.
 * @throws WeaveError USAGE
 */
export function parseEndpoint(text: string, port = defaultPort): Endpoint {
  if (/^fd:\/\/\*?$/.test(text)) return { kind: 'fd' };
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const tcp = /^(?:(?:tcp|https?):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]*))(?::(\d{1,5}))?\/?$/.exec(text);
  const given = tcp?.[3] === undefined ? port : Number(tcp[3]);
  if (!tcp || text === '' || given > 65_535)
    throw new WeaveError('USAGE', `'${text}' is no endpoint; write unix:///path, tcp://ip:port or ip:port`);
  // As with dockerd, no host means loopback: never every interface by accident.
  return { kind: 'tcp', host: tcp[1] ?? (tcp[2] || '127.0.0.1'), port: given };
}

/** The form that DOCKER_HOST takes. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix://${endpoint.path}`;
  if (endpoint.kind === 'fd') return 'fd://';
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}
