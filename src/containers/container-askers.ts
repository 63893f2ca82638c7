import type { Asker, Askers } from '../dns/askers.ts';
import type { Attachment, Attachments } from './attachments.ts';
import { projectLabel } from './own-names.ts';
import { forwardable } from './resolv-conf.ts';

/** {@link ContainerAskers}' collaborators. */
export interface ContainerAskersDeps {
  attachments: Pick<Attachments, 'get' | 'list'>;
  /** where our name server is, or was */
  isOurs: (server: string) => boolean;
}

interface Scan {
  attachment: Attachment;
  /** false: the engine had not given it its addresses yet */
  complete: boolean;
}

/** ms between searches of all containers for an unknown address */
const rescanPause = 1_000;

/**
 * Knows attached containers by all their addresses, on the engine's networks too: that is where queries
 * come from. Looked up in their network namespaces when an address asks for the first time.
 */
export class ContainerAskers implements Askers {
  #deps: ContainerAskersDeps | undefined;
  readonly #ids = new Map<string, string>();
  readonly #scans = new Map<string, Scan>();
  #rescannedAt = Number.NEGATIVE_INFINITY;

  /** Until this is called nobody is known. */
  follow(deps: ContainerAskersDeps): void {
    this.#deps = deps;
  }

  of(address: string): Asker | undefined {
    const deps = this.#deps;
    if (deps === undefined) return undefined;
    const attachment = this.#find(address, deps);
    if (attachment === undefined) return undefined;
    const { cidrs, info } = attachment;
    const subnets = cidrs.map((cidr) => cidr.subnet);
    return {
      subnets,
      project: info.labels[projectLabel] ?? '',
      get servers() {
        return forwardable(info.dns, subnets, deps.isOurs);
      },
    };
  }

  /** Of the container with this address. */
  nameOf(address: string): string | undefined {
    return this.#deps && this.#find(address, this.#deps)?.info.name;
  }

  #find(address: string, deps: ContainerAskersDeps): Attachment | undefined {
    const known = this.#known(address, deps);
    if (known !== undefined) return known;
    const now = performance.now();
    const everybody = now - this.#rescannedAt > rescanPause;
    if (everybody) this.#rescannedAt = now;
    const attachments = deps.attachments.list();
    for (const attachment of attachments) {
      const scan = this.#scans.get(attachment.info.id);
      if (everybody || scan?.attachment !== attachment || !scan.complete) this.#scan(attachment);
    }
    if (everybody) this.#forgetEnded(new Set(attachments.map(({ info }) => info.id)));
    return this.#known(address, deps);
  }

  #known(address: string, deps: ContainerAskersDeps): Attachment | undefined {
    const id = this.#ids.get(address);
    if (id === undefined) return undefined;
    const attachment = deps.attachments.get(id);
    // Another run of it may have another address, and another container this one.
    if (attachment !== undefined && this.#scans.get(id)?.attachment === attachment) return attachment;
    this.#ids.delete(address);
    return undefined;
  }

  #scan(attachment: Attachment): void {
    const { info, process, cidrs } = attachment;
    const own = cidrs.map((cidr) => cidr.address as string);
    const others = process.localAddresses().filter((address) => !own.includes(address));
    for (const address of [...own, ...others]) this.#ids.set(address, info.id);
    this.#scans.set(info.id, { attachment, complete: others.length > 0 || info.networkMode === 'none' });
  }

  #forgetEnded(alive: ReadonlySet<string>): void {
    for (const id of this.#scans.keys()) if (!alive.has(id)) this.#scans.delete(id);
    for (const [address, id] of this.#ids) if (!alive.has(id)) this.#ids.delete(address);
  }
}
