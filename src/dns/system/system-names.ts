import { readFileSync } from 'node:fs';
import { hasCode, messageOf } from '../../lib/errors.ts';
import { KeyedLock } from '../../lib/lock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Conditions } from '../../model/conditions.ts';
import { isWildcard } from '../../model/names.ts';
import type { NameTable } from '../names.ts';
import { parseResolvConf } from '../resolv-conf.ts';
import type { HostsEntry } from './hosts-block.ts';
import { writeHostsBlock } from './hosts-file.ts';
import { type LinkNames, Resolved } from './resolved.ts';

/** Where the host's own programs get the names from; none: they don't. */
export type Wanted = 'none' | 'resolver' | 'hosts-file';

/** How the host's own programs find names now. */
export interface SystemNamesState {
  by: 'systemd-resolved' | 'hosts-file' | null;
  /** what to type, or why they don't; null: they do, or are not meant to */
  advice: string | null;
}

export interface SystemNamesOptions {
  /** our bridge */
  link: string;
  /** with the final dot */
  domain: string;
  /** name of this host */
  self: string;
  hostsFile?: string;
}

export interface SystemNamesDeps {
  names: NameTable;
  /** `IP` or `IP:PORT` of our name server; null: DNS is off */
  server: () => string | null;
  conditions: Pick<Conditions, 'update'>;
  logger: Logger;
}

/** ms in which changes of names are written together */
const gather = 50;

/**
 * Names for the host's own programs: by systemd-resolved, which asks our name server for our domain alone, or by a block
 * in the hosts file. Nothing of it is left when the host takes no part any more, and when the daemon ends.
 */
export class SystemNames {
  readonly #options: SystemNamesOptions;
  readonly #deps: SystemNamesDeps;
  readonly #resolved = new Resolved();
  readonly #lock = new KeyedLock();
  #wanted: Wanted = 'none';
  #state: SystemNamesState = { by: null, advice: null };
  #following: AbortController | undefined;

  constructor(options: SystemNamesOptions, deps: SystemNamesDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get state(): SystemNamesState {
    return this.#state;
  }

  /** Applies what is wanted; what can't be done is in {@link state}, and a condition. */
  async set(wanted: Wanted): Promise<void> {
    this.#wanted = wanted;
    await this.keep();
  }

  /** Checks that it still holds: the resolver may have restarted, and others may have written the file. */
  keep(): Promise<void> {
    return this.#lock.run('', async () => {
      const { conditions } = this.#deps;
      try {
        this.#state = await this.#apply();
        conditions.update('HOST_NAMES', undefined);
      } catch (error) {
        this.#state = { by: null, advice: messageOf(error) };
        conditions.update(
          'HOST_NAMES',
          `programs on this host don't find names of containers: ${messageOf(error)}`,
        );
      }
    });
  }

  /** Takes all of it away. */
  close(): Promise<void> {
    return this.set('none');
  }

  async #apply(): Promise<SystemNamesState> {
    const wanted = this.#deps.server() === null ? 'none' : this.#wanted;
    if (wanted !== 'resolver') await this.#resolved.revert(this.#options.link);
    if (wanted !== 'hosts-file') this.#following?.abort();
    // An earlier daemon may have left its block.
    await writeHostsBlock(this.#hostsFile, wanted === 'hosts-file' ? this.#entries() : []);
    if (wanted === 'hosts-file') {
      this.#follow();
      return { by: 'hosts-file', advice: null };
    }
    return wanted === 'none' ? { by: null, advice: null } : this.#resolve();
  }

  async #resolve(): Promise<SystemNamesState> {
    const { link, domain } = this.#options;
    const server = this.#deps.server() ?? '';
    const why = await this.#ensureResolved({ link, server, domain });
    if (why === undefined && asksResolved()) return { by: 'systemd-resolved', advice: null };
    return { by: null, advice: adviceFor(why, { server, domain }) };
  }

  async #ensureResolved(names: LinkNames): Promise<string | undefined> {
    try {
      return await this.#resolved.ensure(names);
    } catch (error) {
      if (hasCode(error, 'TOOL_MISSING')) return messageOf(error);
      throw error;
    }
  }

  get #hostsFile(): string {
    return this.#options.hostsFile ?? '/etc/hosts';
  }

  #follow(): void {
    if (this.#following !== undefined && !this.#following.signal.aborted) return;
    const { names, logger } = this.#deps;
    this.#following = new AbortController();
    const { signal } = this.#following;
    let timer: NodeJS.Timeout | undefined;
    const write = () => {
      timer = undefined;
      this.keep().catch((error: unknown) =>
        logger.error({ err: error }, 'cannot keep the names of the host'),
      );
    };
    names.onChange(() => {
      timer ??= setTimeout(write, gather);
    }, signal);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  /** Those of this host first, as most programs take the first. */
  #entries(): HostsEntry[] {
    const { self } = this.#options;
    const all = this.#deps.names.list().filter(({ hostname }) => !isWildcard(hostname));
    const own = all.filter(({ origin }) => origin === self);
    const others = all.filter(({ origin }) => origin !== self);
    const entries = new Map<string, HostsEntry>();
    for (const { address, hostname } of [...own, ...others])
      entries.set(`${address} ${hostname}`, { address, name: hostname.slice(0, -1) });
    return [...entries.values()];
  }
}

/** True if the C library asks systemd-resolved, by its module or as a name server. */
function asksResolved(): boolean {
  const { servers } = parseResolvConf(readOrEmpty('/etc/resolv.conf'));
  if (servers.some((server) => server === '127.0.0.53' || server === '127.0.0.54')) return true;
  return /^hosts:.*\bresolve\b/m.test(readOrEmpty('/etc/nsswitch.conf'));
}

/** What to type where we can't do it ourselves. */
function adviceFor(why: string | undefined, { server, domain }: { server: string; domain: string }): string {
  if (why === undefined)
    return 'systemd-resolved has the names, and programs here do not ask it; to have them do so: ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf';
  const file = 'to keep them in /etc/hosts: weavets expose --hosts-file';
  const dnsmasq = /^\s*dns\s*=\s*dnsmasq/m.test(readOrEmpty('/etc/NetworkManager/NetworkManager.conf'));
  const line = `server=/${domain.replace(/\.$/, '')}/${server.replace(':', '#')}`;
  const other = dnsmasq
    ? `or, for NetworkManager's dnsmasq: echo '${line}' > /etc/NetworkManager/dnsmasq.d/weavets.conf && nmcli general reload`
    : `or put 'nameserver ${server}' first in /etc/resolv.conf, as long as weavets runs`;
  return `${why}, so programs on this host don't find names of containers; ${file}; ${other}`;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
