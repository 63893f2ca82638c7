import { isIP } from 'node:net';
import { WeaveError } from '../lib/errors.ts';
import { proxyPort } from './ports.ts';

/** Where something listens: a unix socket, host and port, or sockets that systemd passed on. */
export type Endpoint =
  | { kind: 'unix'; path: string }
  /** IPv6 without brackets */
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'fd' };

/**
 * Parses `unix:///path`, `/path`, `tcp://host[:port]`, `host[:port]`, `[v6][:port]`, `fd://`.
 * @throws WeaveError USAGE
 */
export function parseEndpoint(text: string, port = proxyPort): Endpoint {
  if (/^fd:\/\/\*?$/.test(text)) return { kind: 'fd' };
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const tcp = /^(?:(?:tcp|https?):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9_.-]*))(?::(\d{1,5}))?\/?$/.exec(
    text,
  );
  const [, ipv6, host = '', digits] = tcp ?? [];
  const given = digits === undefined ? port : Number(digits);
  const named = ipv6 !== undefined ? isIP(ipv6) === 6 : host !== '' || digits !== undefined;
  if (!tcp || !named || given > 65_535) {
    throw new WeaveError('USAGE', `'${text}' is not of the form unix:///path or tcp://IP:PORT`);
  }
  // As with dockerd, no host means loopback, never every interface by accident.
  return { kind: 'tcp', host: ipv6 ?? (host || '127.0.0.1'), port: given };
}

/** In DOCKER_HOST's format. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix://${endpoint.path}`;
  if (endpoint.kind === 'fd') return 'fd://';
  return `tcp://${hostAndPort(endpoint)}`;
}

/** `1.2.3.4:5`, `[::1]:5` */
export function hostAndPort({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** `HOST` or `HOST:PORT`, as peers are named. */
export function splitHostPort(text: string, port: number): { host: string; port: number } {
  const [host = '', digits] = text.split(':');
  return { host, port: digits === undefined ? port : Number(digits) };
}

/** True for a host that only this machine can reach; IPv6 without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
