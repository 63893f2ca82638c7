import type { NameTable } from '../dns/names.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Datapath } from '../net/overlay/datapath.ts';
import type { Store } from '../store/store.ts';

/** What one container, or the host itself, is to the other hosts. */
export interface Link {
  /** null: only names */
  mac: string | null;
  ips: readonly string[];
  names: readonly { hostname: string; address: string }[];
}

interface Change {
  key: string;
  value: string | null;
}

/** What {@link followLinks} needs. */
export interface LinksDeps {
  shared: Store;
  datapath: Pick<Datapath, 'resetRemote' | 'putRemote' | 'deleteRemote'>;
  names: NameTable;
  /** name of this host */
  self: string;
  /** told of each key of this host's own that was heard of, with its value */
  heardOwn: (container: string, value: string | null) => void;
  signal: AbortSignal;
  logger: Logger;
}

/** Key of what a host tells of one of its containers. */
export const linkKey = (host: string, container: string) => `link/${host}/${container}`;

/**
 * Programs the datapath and the name table with what the other hosts tell of their containers, until the signal.
 * When a host's lease ends, all that it had goes at once.
 */
export function followLinks(parts: LinksDeps): Promise<void> {
  const { shared, datapath, names, self, heardOwn, signal, logger } = parts;
  const links = new Map<string, Link>();
  const report = (programmed: Promise<void>) =>
    programmed.catch((error: unknown) =>
      logger.error(
        { reason: messageOf(error) },
        'cannot program the forwarding to other hosts; it is tried again',
      ),
    );

  function put(key: string, value: string): Link | undefined {
    const link = parse(value);
    if (link === undefined) {
      logger.error({ key, value }, 'ignoring a malformed link record');
      drop(key);
      return undefined;
    }
    const { origin, containerId } = partsOf(key);
    names.remove({ containerId, origin });
    for (const { hostname, address } of link.names) names.add({ hostname, address, containerId, origin });
    links.set(key, link);
    return link;
  }

  function drop(key: string): void {
    names.remove(partsOf(key));
    links.delete(key);
  }

  const watcher = {
    reset: (entries: { key: string; value: string }[]) => {
      const gone = new Set(links.keys());
      const remote = entries.flatMap(({ key, value }) => {
        const { origin: peer, containerId } = partsOf(key);
        if (peer === self) {
          heardOwn(containerId, value);
          return [];
        }
        gone.delete(key);
        const link = put(key, value);
        return link?.mac ? [{ mac: link.mac, ips: link.ips, peer }] : [];
      });
      for (const key of gone) drop(key);
      void report(datapath.resetRemote(remote));
    },
    change: ({ key, value }: Change) => {
      const { origin: peer, containerId } = partsOf(key);
      if (peer === self) return heardOwn(containerId, value);
      const before = links.get(key);
      const link = value === null ? undefined : put(key, value);
      if (value === null) drop(key);
      if (before?.mac && before.mac !== link?.mac) void report(datapath.deleteRemote(before.mac, peer));
      if (link?.mac) void report(datapath.putRemote({ mac: link.mac, ips: link.ips, peer }));
    },
  };
  return shared.watch('link/', watcher, signal);
}

function partsOf(key: string): { origin: string; containerId: string } {
  const [, origin = '', containerId = ''] = key.split('/');
  return { origin, containerId };
}

/** @returns undefined for anything else */
function parse(value: string): Link | undefined {
  try {
    const { mac, ips, names } = JSON.parse(value) as Link;
    return Array.isArray(ips) && Array.isArray(names) ? { mac, ips, names } : undefined;
  } catch {
    return undefined;
  }
}
