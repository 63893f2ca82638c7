import type { ContainerInfo } from '../docker/types.ts';
import type { Allocator } from '../ipam/allocator.ts';
import { WeaveError } from '../lib/errors.ts';
import type { KeyedLock } from '../lib/lock.ts';
import type { Cidr } from '../model/address.ts';
import { type AddressRequest, parseRequest } from '../model/request.ts';
import { giveBack, takeAddresses } from './addresses.ts';
import type { AttachChoice, Attachments } from './attachments.ts';
import type { Overrides } from './overrides.ts';

/** {@link ByHand}'s collaborators. */
export interface ByHandDeps {
  engine: { inspect(idOrName: string): Promise<ContainerInfo | undefined> };
  allocator: Allocator;
  attachments: Attachments;
  overrides: Overrides;
  /** by container */
  lock: KeyedLock;
}

/** `attach` and `detach`: their effect overrides the container's own request; how long is said of {@link Overrides}. */
export class ByHand {
  readonly #engine: ByHandDeps['engine'];
  readonly #allocator: Allocator;
  readonly #attachments: Attachments;
  readonly #overrides: Overrides;
  readonly #lock: KeyedLock;

  constructor(deps: ByHandDeps) {
    this.#engine = deps.engine;
    this.#allocator = deps.allocator;
    this.#attachments = deps.attachments;
    this.#overrides = deps.overrides;
    this.#lock = deps.lock;
  }

  /** Attaches a running container by hand, or adds addresses to it. @returns the requested addresses */
  attach(idOrName: string, requests: readonly string[], choice: AttachChoice): Promise<Cidr[]> {
    return this.#withRunning(idOrName, async (info) => {
      if (info.networkMode === 'host' || info.networkMode.startsWith('container:')) {
        throw new WeaveError(
          'NOT_ATTACHABLE',
          `container ${info.name} shares the network of another (${info.networkMode}); attach that one`,
        );
      }
      const had = this.#allocator.owned(info.id);
      const asked = await takeAddresses(
        this.#allocator,
        info.id,
        requests.length > 0 ? requests.map(parseRequest) : [{ kind: 'default' }],
      );
      try {
        await this.#attachMore(info, asked, choice);
      } catch (error) {
        await giveBack(this.#allocator, info.id, { cidrs: asked, had });
        throw error;
      }
      return asked;
    });
  }

  /** Removes addresses from a container; with the last one, ethwe. @returns the removed addresses */
  detach(idOrName: string, requests: readonly string[]): Promise<Cidr[]> {
    return this.#withRunning(idOrName, async (info) => {
      const attachment = this.#attachments.get(info.id);
      const asked = requests.length > 0 ? requests.map(parseRequest) : [{ kind: 'default' } as const];
      const leaving = attachment?.cidrs.filter((cidr) =>
        asked.some((request) => matches(cidr, request, this.#allocator.defaultSubnet)),
      );
      if (attachment === undefined || leaving === undefined || leaving.length === 0) return [];
      const cidrs = attachment.cidrs.filter((cidr) => !leaving.includes(cidr));
      await this.#overrides.set(info.id, { ...this.#overrides.get(info.id), cidrs, run: info.pid });
      await this.#attachments.reduce(attachment, leaving);
      for (const { ip } of leaving) await this.#allocator.release(info.id, ip);
      return leaving;
    });
  }

  /** Adds addresses to a running container; recorded once it has them. */
  async #attachMore(info: ContainerInfo, asked: readonly Cidr[], choice: AttachChoice): Promise<void> {
    const before = this.#attachments.get(info.id);
    const cidrs = union(before?.cidrs ?? [], asked);
    const wanted = both(before?.choice, choice);
    await this.#attachments.attach(info, { cidrs, choice: wanted });
    try {
      await this.#overrides.set(info.id, { cidrs, choice: wanted });
    } catch (error) {
      const attachment = this.#attachments.get(info.id);
      const added = attachment?.cidrs.filter((cidr) => !before?.cidrs.some((had) => had.equals(cidr)));
      if (attachment && added) await this.#attachments.reduce(attachment, added);
      throw error;
    }
  }

  async #withRunning<T>(idOrName: string, task: (info: ContainerInfo) => Promise<T>): Promise<T> {
    const found = await this.#engine.inspect(idOrName);
    if (found === undefined) {
      throw new WeaveError(
        'NO_SUCH_CONTAINER',
        `no container is called ${idOrName}; 'docker ps -a' lists all`,
      );
    }
    return this.#lock.run(found.id, async () => {
      const info = await this.#engine.inspect(found.id);
      if (!info?.running) {
        throw new WeaveError('NOT_ATTACHABLE', `container ${found.name} does not run; start it first`);
      }
      return task(info);
    });
  }
}

function union(a: readonly Cidr[], b: readonly Cidr[]): Cidr[] {
  return [...a, ...b.filter((cidr) => !a.some((other) => other.equals(cidr)))];
}

/** The container keeps what it has from an earlier attachment. */
function both(before: AttachChoice | undefined, choice: AttachChoice): AttachChoice {
  if (before === undefined) return choice;
  return {
    multicastRoute: before.multicastRoute || choice.multicastRoute,
    rewriteHosts: before.rewriteHosts || choice.rewriteHosts,
    addHosts: [...new Set([...before.addHosts, ...choice.addHosts])],
    dns: choice.dns,
  };
}

function matches(cidr: Cidr, request: AddressRequest, defaultSubnet: Cidr): boolean {
  if (request.kind === 'claim') return request.cidr.equals(cidr);
  return (request.kind === 'subnet' ? request.subnet : defaultSubnet).equals(cidr.subnet);
}
