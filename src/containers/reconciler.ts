import type { ContainerEvent } from '../docker/events.ts';
import type { ContainerInfo } from '../docker/types.ts';
import type { Allocator } from '../ipam/allocator.ts';
import { hasCode, messageOf } from '../lib/errors.ts';
import { atMost, eachOf, type KeyedLock } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import { isContainer } from '../model/owner.ts';
import type { Decision, PolicyOptions } from '../model/policy.ts';
import type { AddressRequest } from '../model/request.ts';
import { takeAddresses } from './addresses.ts';
import type { Attachments } from './attachments.ts';
import type { CreatedStore } from './created.ts';
import { choiceFor, decideFor } from './decision.ts';
import { attachEarly } from './early-attach.ts';
import type { History } from './history.ts';
import type { MadeHostnames } from './made-hostnames.ts';
import type { Naming } from './naming.ts';
import type { Overrides } from './overrides.ts';
import { Retries } from './retries.ts';
import type { StartWatch } from './start-watch.ts';
import { Upcoming } from './upcoming.ts';

/** What the reconciler needs of the engine. */
interface Engine {
  inspect(idOrName: string, signal?: AbortSignal): Promise<ContainerInfo | undefined>;
  remove(id: string): Promise<void>;
  list(options: { all: boolean }): Promise<{ id: string; name: string; running: boolean }[]>;
}

/** The flags of `launch` that attachment uses. */
export interface ReconcilerOptions extends PolicyOptions {
  multicastRoute: boolean;
  rewriteHosts: boolean;
  /** folder that the shims' folders are in; a container that binds one of them was created through the proxy */
  shimRoot: string;
}

/** How many containers are checked in parallel in a sweep. */
const sweepWidth = 8;
/** ms after which a sweep continues with the next container: one that hangs the engine must not delay the others. */
const sweepPatience = 3_000;
/** ms between attempts at a container that could not be reconciled. */
const retryPauses = { first: 500, longest: 30_000 };

/**
 * Keeps every container in its proper state: running and ours means attached, stopped means no name,
 * gone means no address. Everything goes through `reconcile`, which asks the engine and converges, one at a time for each
 * container, so a proxied start, the engine's event of it and a sweep may overlap in any order.
 */
export class Reconciler {
  readonly #engine: Engine;
  readonly #allocator: Allocator;
  readonly #attachments: Attachments;
  readonly #overrides: Overrides;
  readonly #made: Pick<MadeHostnames, 'owners' | 'delete'>;
  readonly #naming: Pick<Naming, 'owners' | 'running'>;
  readonly #created: Pick<CreatedStore, 'owners' | 'delete'>;
  readonly #startWatch: StartWatch;
  readonly #history: Pick<History, 'add'>;
  readonly #options: ReconcilerOptions;
  readonly #logger: Logger;
  readonly #lock: KeyedLock;
  readonly upcoming = new Upcoming((id) => this.#engine.inspect(id));
  /** Containers that the engine is starting: called when it has connected one to a network. */
  readonly #connecting = new Map<string, () => void>();
  readonly #retries = new Retries({ task: (id) => this.reconcile(id), pauses: retryPauses });

  constructor(fields: {
    engine: Engine;
    allocator: Allocator;
    attachments: Attachments;
    overrides: Overrides;
    made: Pick<MadeHostnames, 'owners' | 'delete'>;
    naming: Pick<Naming, 'owners' | 'running'>;
    created: Pick<CreatedStore, 'owners' | 'delete'>;
    startWatch: StartWatch;
    history: Pick<History, 'add'>;
    /** by container */
    lock: KeyedLock;
    options: ReconcilerOptions;
    logger: Logger;
  }) {
    this.#engine = fields.engine;
    this.#allocator = fields.allocator;
    this.#attachments = fields.attachments;
    this.#overrides = fields.overrides;
    this.#made = fields.made;
    this.#naming = fields.naming;
    this.#created = fields.created;
    this.#startWatch = fields.startWatch;
    this.#history = fields.history;
    this.#lock = fields.lock;
    this.#options = fields.options;
    this.#logger = fields.logger;
  }

  /**
   * The engine is about to start this container: takes its addresses, and attaches as soon as its network namespace
   * shows. What it can't have is an error now, before anything was started.
   * @param restarts a run that goes on ends first: what holds for that alone does not count
   * @returns undefined: not one of ours
   */
  async begin(idOrName: string, signal?: AbortSignal, restarts = false) {
    const info = (await this.upcoming.take(idOrName)) ?? (await this.#engine.inspect(idOrName, signal));
    if (info === undefined || !this.#isOurs(info)) return undefined;
    const decision = this.#decide(restarts ? { ...info, running: false } : info);
    if (!decision.attach) return undefined;
    const { id } = info;
    try {
      await this.#firstAddresses(id, decision.requests);
    } catch (error) {
      const text = `not started: ${messageOf(error)}`;
      this.#history.add({ subject: id, name: info.name, level: 'error', text });
      // Like the engine with one that can't start; `docker run --rm` waits for it. It refuses if the container runs.
      if (info.autoRemove && !info.running) await this.#engine.remove(id).catch(() => {});
      throw error;
    }
    const connected = new Promise<void>((resolve) => this.#connecting.set(id, resolve));
    const early = attachEarly(info, this.#startWatch, connected, (running, begun) =>
      this.#lock.run(id, () => this.#attach(running, begun)),
    );
    return {
      id,
      previous: info.running ? info.pid : 0,
      complete: async () => {
        this.#connecting.delete(id);
        if (!(await early.complete())) await this.reconcile(id);
      },
      abandon: async () => {
        this.#connecting.delete(id);
        await early.abandon();
        await this.reconcile(id);
      },
    };
  }

  /**
   * Asks the engine, and corrects this container's attachment, name and addresses. What
   * fails is retried until it works or the container is gone.
   */
  reconcile(id: string): Promise<void> {
    return this.#exclusive(id, () => this.#reconcile(id));
  }

  /** The first address of an attached container, as an inspect answer tells it. */
  network(id: string): { ip: string; prefix: number; mac: string } | undefined {
    const attachment = this.#attachments.get(id);
    const [cidr] = attachment?.cidrs ?? [];
    return attachment && cidr && { ip: cidr.address, prefix: cidr.prefix, mac: attachment.mac };
  }

  /** Resolves when pending work for this container has ended. */
  settled(id: string): Promise<void> {
    return this.#lock.idle(id);
  }

  /** Reconciles all of the engine's containers, and forgets those that are gone: after each gap in its events. */
  async reconcileAll(): Promise<void> {
    // Before the list: an owner that appears later is new, not gone.
    const named = new Set(this.#naming.owners());
    const owners = new Set([
      ...named,
      ...this.#allocator.owners(),
      ...this.#overrides.owners(),
      ...this.#made.owners(),
      ...(await this.#created.owners()),
      ...this.#attachments.owners(),
    ]);
    const listed = await this.#engine.list({ all: true });
    const existing = new Set(listed.map(({ id }) => id));
    const gone = [...owners].filter((owner) => isContainer(owner) && !existing.has(owner));
    const changed = listed
      .filter(({ id, running }) => running || named.has(id) || this.#attachments.get(id) !== undefined)
      .map(({ id }) => id);
    await eachOf([...gone, ...changed], sweepWidth, (id) =>
      atMost(
        sweepPatience,
        this.reconcile(id).catch(() => {}),
      ),
    );
  }

  /** Handles an event of the engine; failures are retried. */
  noticed({ action, id }: ContainerEvent): void {
    this.upcoming.forget(id);
    if (action === 'network') this.#connecting.get(id)?.();
    this.#notice(action, id).catch(() => {});
  }

  /** Most events are of our own doing, or self-explanatory: then the engine is not asked. */
  async #notice(action: ContainerEvent['action'], id: string): Promise<void> {
    const isAttached = this.#attachments.get(id) !== undefined;
    const holds = this.#attachments.holds(id);
    if (action === 'destroy') return this.#exclusive(id, () => this.#forget(id));
    if (action === 'network') {
      // The engine may have rewritten the hosts file.
      if (holds) await this.#exclusive(id, () => this.#attachments.writeHosts(id));
    } else if (holds && (action === 'start' || action === 'die')) {
      // Attached while it started, or again since it died.
    } else if (isAttached && action === 'die') {
      await this.#exclusive(id, async () => {
        if (!this.#attachments.holds(id)) await this.#attachments.ended(id);
      });
    } else {
      await this.reconcile(id);
    }
  }

  close(): void {
    this.#retries.close();
  }

  /** Why a running container is not attached; undefined: it is. */
  reason(info: ContainerInfo): string | undefined {
    if (this.#attachments.get(info.id) !== undefined) return undefined;
    try {
      const decision = this.#decide(info);
      if (!decision.attach) return decision.reason;
    } catch (error) {
      return messageOf(error);
    }
    const failure = this.#retries.errorOf(info.id);
    if (failure !== undefined) return `${messageOf(failure)}; retrying`;
    return this.#isOurs(info)
      ? 'it is being attached'
      : "it was not created through the proxy; use 'weavets attach', or create it again with DOCKER_HOST set by weavets env";
  }

  /** One at a time for each container; failures are retried. */
  async #exclusive(id: string, task: () => Promise<void>): Promise<void> {
    try {
      await this.#lock.run(id, task);
      this.#retries.done(id);
    } catch (error) {
      this.#failed(id, error);
      throw error;
    }
  }

  async #reconcile(id: string): Promise<void> {
    const info = await this.#engine.inspect(id);
    if (info === undefined) return this.#forget(id);
    if (!info.running) return this.#attachments.ended(id);
    await this.#naming.running(info);
    if (this.#isOurs(info)) await this.#attach(info);
  }

  #decide(info: ContainerInfo): Decision {
    return decideFor(info, this.#overrides.get(info.id), this.#options);
  }

  #isOurs(info: ContainerInfo): boolean {
    return this.#hasShim(info) || this.#overrides.get(info.id) !== undefined;
  }

  #hasShim(info: ContainerInfo): boolean {
    return info.shim?.source.startsWith(`${this.#options.shimRoot}/`) ?? false;
  }

  /** A container that the engine has just removed may still hold what this one asks for: the event of it is on its way. */
  async #firstAddresses(id: string, requests: readonly AddressRequest[]): Promise<void> {
    try {
      await takeAddresses(this.#allocator, id, requests);
    } catch (error) {
      const isTaken = hasCode(error, 'IPAM_CONFLICT') || hasCode(error, 'IPAM_FULL');
      if (!isTaken || !(await this.#forgetGone())) throw error;
      await takeAddresses(this.#allocator, id, requests);
    }
  }

  /** @returns false: every container that holds an address exists */
  async #forgetGone(): Promise<boolean> {
    const owners = this.#allocator.owners().filter(isContainer);
    const existing = new Set((await this.#engine.list({ all: true })).map(({ id }) => id));
    const gone = owners.filter((owner) => !existing.has(owner));
    await Promise.all(gone.map((id) => this.#exclusive(id, () => this.#forget(id))));
    return gone.length > 0;
  }

  async #attach(info: ContainerInfo, begun?: Promise<unknown>): Promise<void> {
    const { id, pid } = info;
    const decision = this.#decide(info);
    if (!decision.attach) return;
    if (this.#attachments.holds(id) && this.#attachments.get(id)?.info.pid === pid)
      return this.#attachments.refresh(info);
    const override = this.#overrides.get(id);
    if (override?.cidrs.length === 0) await this.#overrides.delete(id);
    const choice = choiceFor(info, this.#hasShim(info) ? undefined : override?.choice, this.#options);
    const cidrs = await takeAddresses(this.#allocator, id, decision.requests);
    await this.#attachments.attach(info, { cidrs, choice, begun });
  }

  async #forget(id: string): Promise<void> {
    await this.#attachments.ended(id);
    // In parallel they are one write to the store.
    const [released] = await Promise.all([
      this.#allocator.release(id),
      this.#created.delete(id),
      this.#overrides.delete(id),
      this.#made.delete(id),
    ]);
    if (released.length > 0) this.#logger.info({ container: id.slice(0, 12), cidrs: released }, 'released');
  }

  #failed(id: string, error: unknown): void {
    const first = this.#retries.failed(id, error);
    if (first) {
      const text = `could not be attached: ${messageOf(error)}; it is tried again`;
      this.#history.add({ subject: id, level: 'error', text });
    }
    const level = !first || hasCode(error, 'ENGINE_UNREACHABLE') ? 'debug' : 'error';
    this.#logger[level](
      { container: id.slice(0, 12), reason: messageOf(error) },
      'cannot reconcile a container; retrying',
    );
  }
}
