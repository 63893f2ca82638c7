import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { isLoopback } from '../model/endpoint.ts';

/** What programs on this host call it; `unix` is what some clients of unix sockets send. */
const localNames: readonly string[] = ['localhost', '127.0.0.1', '[::1]', 'unix'];

/**
 * The accepted Host names of a server. A web page whose name was made to point at this host uses that
 * name, which gives it away. A server for other hosts also accepts every address, as no name can pose as one.
 * @param ip that the server listens on; undefined: a unix socket
 */
export function ourHosts(ip?: string): (name: string) => boolean {
  if (ip === undefined || isLoopback(ip)) return (name) => localNames.includes(name) || name === ip;
  const own = hostname().toLowerCase();
  return (name) => localNames.includes(name) || name === own || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** Why this request is refused: a foreign Host name, or a page of another site. undefined: it is not. */
export function refusal(
  headers: IncomingHttpHeaders,
  isOurHost: (name: string) => boolean,
): string | undefined {
  const { host = '', origin } = headers;
  const [, name = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d+)?$/i.exec(host) ?? [];
  if (!isOurHost(name.toLowerCase())) {
    return `the Host header '${host}' is not this server; use localhost or its address`;
  }
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return `pages of ${origin} may not use this server`;
  }
  const site = headers['sec-fetch-site'] ?? 'none';
  if (site !== 'none' && site !== 'same-origin') return 'pages of other sites may not use this server';
  return undefined;
}
