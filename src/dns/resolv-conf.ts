import { readFileSync, readlinkSync } from 'node:fs';
import { isIP } from 'node:net';

/** What a resolv.conf says, in its order. */
export interface ResolvConf {
  servers: string[];
  search: string[];
}

/** Reads it like the C libraries: the last line with `search` or `domain` counts. */
export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], search: [] };
  for (const line of text.split('\n')) {
    const [word, ...values] = line.trim().split(/\s+/);
    const [first] = values;
    if (word === 'nameserver' && first !== undefined && isIP(first) !== 0) conf.servers.push(first);
    if (word === 'search') conf.search = values;
    if (word === 'domain') conf.search = values.slice(0, 1);
  }
  // The root means: none.
  conf.search = conf.search.filter((domain) => domain !== '.');
  return conf;
}

const place = '/etc/resolv.conf';

/**
 * Its text. A symbolic link in another root, as in /host/etc, is resolved in that root; if that fails, our own
 * copy serves.
 */
export function readResolvConf(path: string): string {
  const root = path.endsWith(place) ? path.slice(0, -place.length) : '';
  if (root === '') return readFileSync(path, 'utf8');
  try {
    const target = linkTarget(path);
    return readFileSync(target?.startsWith('/') ? `${root}${target}` : path, 'utf8');
  } catch {
    return readFileSync(place, 'utf8');
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
