import { isIP } from 'node:net';
import { WeaveError } from '../lib/errors.ts';
import { isPort } from './peers.ts';

/** Where something listens: `unix:///path`, or `tcp://ip:port` with brackets around IPv6. */
export interface Endpoint {
  url: string;
  /** false only for TCP on an address that other machines may reach */
  local: boolean;
}

/**
 * Parses `unix:///path`, `tcp://ip:port`, `ip:port`, with `localhost` or nothing (every address) as an ip.
 * @param what the flag or variable, for the message
 * @param names to connect to: a name does, too, and stays one, as the certificate may be for the name
 * @throws WeaveError USAGE
 */
export function parseEndpoint(text: string, what: string, defaultPort: number, names = false): Endpoint {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!path.startsWith('/')) throw wrong(text, what);
    return { url: `unix://${path}`, local: true };
  }
  const parts = /^(?:tcp:\/\/)?(\[[^\]]+\]|[^:/]*)(?::(\d+))?\/?$/.exec(text);
  const [, host = '', port = String(defaultPort)] = parts ?? [];
  if (names && isName(host) && isPort(port)) return { url: `tcp://${host}:${port}`, local: false };
  const ip = host === 'localhost' ? '127.0.0.1' : host === '' ? '0.0.0.0' : host.replace(/^\[(.*)\]$/, '$1');
  const empty = host === '' && parts?.[2] === undefined;
  if (parts === null || empty || isIP(ip) === 0 || !isPort(port)) throw wrong(text, what);
  return {
    url: isIP(ip) === 6 ? `tcp://[${ip}]:${port}` : `tcp://${ip}:${port}`,
    local: ip.startsWith('127.') || ip === '::1',
  };
}

function isName(host: string): boolean {
  return isIP(host) === 0 && /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(host);
}

function wrong(text: string, what: string): WeaveError {
  return new WeaveError('USAGE', `${what}: '${text}' is not of the form unix:///path or tcp://IP:PORT`);
}
