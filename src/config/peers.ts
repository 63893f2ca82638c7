import { isIP } from 'node:net';
import { WeaveError } from '../lib/errors.ts';
import { heartbeatPort } from '../model/ports.ts';

/** Peers as `launch` takes them: host or host:port. @throws WeaveError USAGE */
export function parsePeers(words: readonly string[]): string[] {
  const wrong = words.find((word) => {
    const [host = '', port = `${heartbeatPort}`, ...rest] = word.split(':');
    const named = isIP(host) === 4 || /^(?=.*[a-z])[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host);
    return !named || rest.length > 0 || !isPort(port);
  });
  if (wrong !== undefined) throw new WeaveError('USAGE', `'${wrong}' is not a peer; write HOST or HOST:PORT`);
  return [...words];
}

/** As `connect` takes them: members of an etcd, too, as `etcd://host:port`. @throws WeaveError USAGE */
export function parseTargets(words: readonly string[]): string[] {
  parsePeers(words.map((word) => word.replace(/^etcds?:\/\//, '')));
  return [...words];
}

/** As {@link parseTargets}, but there must be one. @throws WeaveError USAGE */
export function parseSomeTargets(words: readonly string[]): string[] {
  if (words.length === 0) throw new WeaveError('USAGE', 'name a peer');
  return parseTargets(words);
}

/** 1 to 65535, in digits. */
export function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
}
