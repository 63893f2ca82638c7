import type { ContainerInfo } from '../docker/types.ts';
import { type Hostname, isHostname } from '../model/names.ts';
import { type HostnameOptions, Hostnames } from '../proxy/calls/hostname.ts';

/** The hostnames derived from containers' names at create. */
interface MadeHostnames {
  /** undefined: its hostname was given, or is the engine's */
  get(id: string): string | undefined;
}

/** Labels by which Compose says what a container is. */
export const projectLabel = 'com.docker.compose.project';
const serviceLabel = 'com.docker.compose.service';
const oneOffLabel = 'com.docker.compose.oneoff';

/** A container's names, and problems with them. */
export interface Called {
  /** fully qualified, lower-case, with the final dot; that of its hostname first */
  hostnames: Hostname[];
  /** that of its service, which all replicas have: `web.shop.weave.local.` */
  services: Hostname[];
  /** the hostname that its processes should see instead of create's; undefined: create's */
  renamed: string | undefined;
  /** why its own name is not among these, for `ps --why` */
  problems: string[];
}

/**
 * What containers are called in our domain: by their hostnames, and by their names as they are now. A hostname that
 * was made of the name follows it when that changes, as Compose does to a container that takes another's place.
 */
export class OwnNames {
  readonly #hostnames: Hostnames;
  readonly #made: MadeHostnames;
  /** `weave.local` */
  readonly #domain: string;

  constructor(options: HostnameOptions, made: MadeHostnames) {
    this.#hostnames = new Hostnames(options);
    this.#made = made;
    this.#domain = options.dnsDomain.toLowerCase().replace(/\.$/, '');
  }

  of(info: Pick<ContainerInfo, 'id' | 'name' | 'hostname' | 'domainname' | 'labels' | 'hostUts'>): Called {
    const made = this.#made.get(info.id);
    const present = made === undefined ? undefined : this.#hostnames.of(info.name, info.labels);
    const renamed = present && present !== made ? present : undefined;
    // The host's own hostname does not belong to a container.
    const hostname = info.hostUts ? '' : made === undefined ? info.hostname : (present ?? '');
    const called: Called = { hostnames: [], services: this.#services(info.labels), renamed, problems: [] };
    // The engine shows its users the hostname without the domain that they gave beside it.
    const short = info.domainname ? hostname.slice(0, -info.domainname.length - 1) : '';
    for (const name of [hostname, short, info.name]) if (name !== '') this.#add(called, name);
    return called;
  }

  /** A container of `compose run` is no replica. */
  #services(labels: Readonly<Record<string, string>>): Hostname[] {
    const { [projectLabel]: project = '', [serviceLabel]: service = '', [oneOffLabel]: oneOff = '' } = labels;
    const full = `${service}.${project}.${this.#domain}.`.toLowerCase();
    return oneOff.toLowerCase() !== 'true' && isHostname(full) ? [full] : [];
  }

  #add({ hostnames, problems }: Called, name: string): void {
    const bare = name.toLowerCase().replace(/\.$/, '');
    const full = bare.endsWith(`.${this.#domain}`) ? `${bare}.` : `${bare}.${this.#domain}.`;
    if (!isHostname(full)) {
      problems.push(
        `${name} can't be a name in DNS (parts of 1 to 63 letters, digits, '-' and '_', 253 in all); rename the container, or give it another name with 'weavets dns-add'`,
      );
    } else if (!hostnames.includes(full)) {
      hostnames.push(full);
    }
  }
}
