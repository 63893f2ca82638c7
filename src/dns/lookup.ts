import type { Found } from './host-names.ts';
import type { NameTable } from './names.ts';

/** What {@link Lookup} looks into. */
export interface LookupDeps {
  /** with the final dot */
  domain: string;
  names: Pick<NameTable, 'records' | 'wildcard' | 'hasBelow' | 'isFlat'>;
  /** names that are made of hosts' names */
  hosts: { find(name: string): readonly Found[] };
}

/** Who is meant by a name. */
export class Lookup {
  readonly #domain: string;
  readonly #names: LookupDeps['names'];
  readonly #hosts: LookupDeps['hosts'];

  constructor({ domain, names, hosts }: LookupDeps) {
    this.#domain = domain.toLowerCase();
    this.#names = names;
    this.#hosts = hosts;
  }

  /**
   * @param name lower-case, with the final dot
   * @param project of the asker: a single label is a service of its own project first, as it is with Compose
   */
  find(name: string, project: () => string = () => ''): readonly Found[] {
    if (isSingleLabel(name)) {
      const service = this.#service(name, project);
      return service.length > 0 ? service : this.#full(name + this.#domain);
    }
    const found = this.#full(name);
    const label = name.slice(0, -this.#domain.length);
    if (found.length > 0 || label + this.#domain !== name || !isSingleLabel(label)) return found;
    return this.#service(label, project);
  }

  /** True if the name itself does not exist, but names below it may. */
  isInner(name: string): boolean {
    return name === this.#domain || name === `host.${this.#domain}` || this.#names.hasBelow(name);
  }

  #full(name: string): readonly Found[] {
    const found = this.#names.records(name);
    if (found.length > 0) return found;
    const ofHost = this.#hosts.find(name);
    return ofHost.length > 0 || this.#names.hasBelow(name) ? ofHost : this.#names.wildcard(name);
  }

  #service(label: string, project: () => string): readonly Found[] {
    const name = this.#names.isFlat ? '' : project();
    return name === '' ? [] : this.#names.records(`${label}${name}.${this.#domain}`);
  }
}

/** `bbox1.`, but not the root. */
export function isSingleLabel(name: string): boolean {
  return name.length > 1 && name.indexOf('.') === name.length - 1;
}
