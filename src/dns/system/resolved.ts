import { readFileSync, statSync } from 'node:fs';
import { acceptsConnections } from '../../lib/accepts.ts';
import { run } from '../../lib/exec.ts';

/** Where systemd-resolved keeps its state, and the settings of each link. */
const folder = '/run/systemd/resolve';
const socket = `${folder}/io.systemd.Resolve`;
/** ms; it answers at once, or hangs */
const deadline = 5_000;

/** What a link's name server is responsible for. */
export interface LinkNames {
  link: string;
  /** `IP` or `IP:PORT` */
  server: string;
  /** with the final dot */
  domain: string;
}

/** Configures our names in systemd-resolved, on the link that leads to them, and notices when it has lost them. */
export class Resolved {
  #told = '';
  /** the settings of an earlier, killed daemon may still be there */
  #stale = true;

  /** Puts the names there unless they are. @returns undefined: they are there; otherwise why not */
  async ensure({ link, server, domain }: LinkNames): Promise<string | undefined> {
    // resolvectl would start one that was stopped on purpose.
    if (!(await acceptsConnections(socket))) return 'systemd-resolved does not run';
    const now = fingerprint(link);
    if (now === this.#told) return undefined;
    const routing = `~${domain.replace(/\.$/, '')}`;
    // Public names are not queried here, and nothing about the host is announced to containers.
    const commands = [
      ['dns', link, server],
      ['domain', link, routing],
      ['default-route', link, 'false'],
      ['llmnr', link, 'no'],
      ['mdns', link, 'no'],
      ['dnssec', link, 'no'],
    ];
    for (const [word = '', ...args] of commands) {
      const { code, stdout, stderr } = await resolvectl(word, ...args);
      if (code !== 0) return `resolvectl ${word} says: ${(stderr || stdout).trim()}`;
    }
    this.#told = fingerprint(link);
    return undefined;
  }

  /** Takes the names from there. */
  async revert(link: string): Promise<void> {
    const stale = this.#stale && linkState(link) !== '';
    this.#stale = false;
    if (this.#told === '' && !stale) return;
    this.#told = '';
    if (await acceptsConnections(socket)) await resolvectl('revert', link).catch(() => {});
  }
}

function resolvectl(...args: readonly string[]) {
  return run(['resolvectl', '--no-pager', ...args], { deadline });
}

/** Changes when systemd-resolved was restarted, or the link's settings were changed. */
function fingerprint(link: string): string {
  const stat = statSync(socket, { throwIfNoEntry: false });
  return `${stat?.ino} ${stat?.ctimeMs} ${linkState(link)}`;
}

function linkState(link: string): string {
  try {
    const index = readFileSync(`/sys/class/net/${link}/ifindex`, 'utf8').trim();
    return readFileSync(`${folder}/netif/${index}`, 'utf8');
  } catch {
    return '';
  }
}
