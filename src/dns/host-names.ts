import type { NameRecord, NameTable } from './names.ts';

/** What {@link HostNames} knows of the hosts. */
export interface HostNamesDeps {
  /** name to nickname of all hosts, this one among them */
  nicknames(): Iterable<readonly [name: string, nickname: string]>;
  /** the host's own on the network; empty: none */
  addresses(host: string): readonly string[];
}

/** Who has an address that a name resolves to. */
export type Found = Pick<NameRecord, 'address' | 'origin' | 'containerId'>;

/** `bbox1.host1.host.weave.local.`: what has this name on that host. `host1.host.weave.local.`: the host itself. */
export class HostNames {
  readonly #names: Pick<NameTable, 'records'>;
  readonly #domain: string;
  #deps: HostNamesDeps | undefined;

  /** @param options.domain with the final dot */
  constructor({ names, domain }: { names: Pick<NameTable, 'records'>; domain: string }) {
    this.#names = names;
    this.#domain = domain.toLowerCase();
  }

  /** Before this no host is known. */
  follow(deps: HostNamesDeps): void {
    this.#deps = deps;
  }

  /** @param name lower-case, with the final dot */
  find(name: string): readonly Found[] {
    const suffix = `.host.${this.#domain}`;
    if (this.#deps === undefined || !name.endsWith(suffix)) return [];
    const labels = name.slice(0, -suffix.length).split('.');
    // A nickname may have dots, and a container's name too.
    for (const [at] of labels.entries()) {
      const hosts = this.#called(labels.slice(at).join('.'), this.#deps);
      if (hosts.length === 0) continue;
      if (at === 0) return hosts.flatMap((host) => this.#ofHost(host));
      const container = `${labels.slice(0, at).join('.')}.${this.#domain}`;
      return this.#names.records(container).filter(({ origin }) => hosts.includes(origin));
    }
    return [];
  }

  #ofHost(origin: string): Found[] {
    const addresses = this.#deps?.addresses(origin) ?? [];
    return addresses.map((address) => ({ address, origin, containerId: '' }));
  }

  /** Names of the hosts with this nickname, the part before its first dot counting as one. */
  #called(nickname: string, { nicknames }: HostNamesDeps): string[] {
    return [...nicknames()]
      .filter(([, each]) => {
        const full = each.toLowerCase();
        return full === nickname || full.split('.')[0] === nickname;
      })
      .map(([name]) => name);
  }
}
