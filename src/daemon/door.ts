import { setTimeout as delay } from 'node:timers/promises';
import { ask, askAll, credentialOf, type FindOptions, nothingToShow } from '../cluster/find.ts';
import { asKept, dropKept, keepNetwork, keepWelcome } from '../cluster/managed.ts';
import type { LaunchConfig } from '../config/config.ts';
import type { CertificateAndKey } from '../etcd/authority.ts';
import { createCluster } from '../etcd/create.ts';
import { etcdFolder, readAuthority } from '../etcd/files.ts';
import type { Credential } from '../etcd/join/client.ts';
import type { JoiningHost, Welcome } from '../etcd/join/messages.ts';
import { Tokens } from '../etcd/join/tokens.ts';
import { leaveEtcd } from '../etcd/leave.ts';
import { hasCode, messageOf, WeaveError } from '../lib/errors.ts';
import { KeyedLock } from '../lib/lock.ts';
import { repeat } from '../lib/repeat.ts';
import type { UndoStack } from '../lib/undo.ts';
import { addressesBeside } from '../net/host.ts';
import { etcdVotersRecord } from '../store/records/etcd.ts';
import { admitHost, expelHost, JoinService, welcomeOf } from './join-service.ts';
import { moveToManaged, moveToOwn } from './move.ts';
import type { Seat } from './seat.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';
import type { PreparedHost } from './stages/prepare-host.ts';

/** What a {@link Door} needs. */
export interface DoorDeps extends Pick<DaemonDeps, 'signal' | 'conditions' | 'logger'> {
  host: PreparedHost;
  seat: Seat;
  /** this host allocates addresses as if alone */
  goAlone: () => void;
  undo: UndoStack;
}

/** ms between rounds in which hosts are asked that have not let this one in yet. */
const pause = 1_000;
/** ms to wait after a refusal, which rarely changes by itself. */
const rest = 15_000;

/**
 * How hosts become a cluster: this one founds one, is let into another's, or lets others into its own. A host that is
 * alone and has a password, or is open, becomes a cluster when the first one asks.
 */
export class Door {
  readonly #deps: DoorDeps;
  readonly #lock = new KeyedLock();
  /** hosts that asked, while this one looked for hosts itself */
  readonly #callers = new Set<string>();
  readonly #service: JoinService;
  #seeking: boolean;
  /** ms since the epoch until which no host is asked, after one that refused */
  #resting = 0;

  constructor(deps: DoorDeps) {
    this.#deps = deps;
    this.#service = new JoinService({ ...deps, admit: (joining, by) => this.#admit(joining, by) });
    this.#seeking = deps.host.way === 'sought';
  }

  /** Lets hosts in where that is allowed, and keeps asking those that have not answered yet. */
  async open(): Promise<void> {
    const { signal, logger, undo } = this.#deps;
    undo.push(() => this.#service.close());
    await this.#service.serve();
    const failed = (error: unknown) => logger.warn({ reason: messageOf(error) }, 'not part of a cluster yet');
    if (this.#seeking) this.#tellSeeking('none of them has answered yet');
    repeat(() => this.#seek(), { pause, signal, failed });
  }

  /** This host's name among peers. */
  get name(): string {
    return this.#deps.host.peer;
  }

  /** By which other hosts reach this one. */
  get address(): string {
    return this.#self().address;
  }

  /** Resolves when this host knows which addresses it may allocate. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.#seeking) await delay(pause / 4, undefined, { signal });
  }

  /** This host is no part of its cluster any more: the others drop it, its etcd goes, and what it kept. */
  leave(): Promise<void> {
    const { seat, host } = this.#deps;
    return this.#lock.run('seat', async () => {
      this.#seeking = false;
      await this.#service.close();
      await seat.leave();
      await host.targets.set([]);
      await leaveEtcd(etcdFolder);
      await dropKept(etcdFolder);
    });
  }

  /**
   * Goes to these hosts from now on; one that is alone, and has given no addresses that they have, joins their cluster.
   * @throws WeaveError USAGE: this host is alone, and has nothing to show to them
   */
  async connect(targets: readonly string[]): Promise<void> {
    const { seat, host } = this.#deps;
    const alone = seat.membership === undefined && targets.length > 0;
    if (alone && credentialOf(host.config) === undefined) throw nothingToShow(targets);
    await host.targets.set(targets);
    if (!alone) return this.#forgotten();
    this.#seeking = true;
    this.#resting = 0;
    await this.#seek();
  }

  async forget(targets: readonly string[]): Promise<void> {
    await this.#deps.host.targets.remove(targets);
    this.#forgotten();
  }

  /** A host that looks for its cluster may have nobody left to ask: then it is alone. */
  #forgotten(): void {
    const { host, goAlone, conditions } = this.#deps;
    if (!this.#seeking || host.targets.list().length > 0) return;
    this.#seeking = false;
    conditions.clear('CLUSTER_SOUGHT');
    goAlone();
  }

  /**
   * Makes this host the first of a cluster with an etcd that weavets runs.
   * @param from the users' own etcd, from which its cluster moves there
   * @throws WeaveError USAGE: it is in one; or why it can't
   */
  found({ voters, from }: { voters?: 3 | 5 | undefined; from?: string | undefined }): Promise<void> {
    return this.#lock.run('seat', async () => {
      if (from !== undefined) {
        await moveToManaged({ ...this.#deps, self: this.#self() }, from);
        await this.#service.serve();
        return this.#setVoters(voters);
      }
      if (this.#deps.seat.membership) {
        throw new WeaveError(
          'USAGE',
          "this host is part of a cluster already; 'weavets cluster status' shows it",
        );
      }
      await this.#found(voters);
    });
  }

  /** Moves this host's cluster to an etcd of the users' own. @throws WeaveError USAGE, CLUSTER_MISMATCH, STORE_UNAVAILABLE */
  moveTo(to: Pick<LaunchConfig, 'store' | 'etcd'>): Promise<void> {
    return this.#lock.run('seat', async () => {
      await moveToOwn({ ...this.#deps, self: this.#self() }, to);
      await this.#service.close();
    });
  }

  /** Becomes part of the cluster of a host. @throws WeaveError USAGE, JOIN_REFUSED, JOIN_UNREACHABLE */
  join(target: string, by: Credential): Promise<void> {
    const { host, seat } = this.#deps;
    return this.#lock.run('seat', async () => {
      if (seat.membership) {
        throw new WeaveError(
          'USAGE',
          "this host is part of a cluster already; 'weavets cluster leave' first",
        );
      }
      const welcome = await ask(this.#find(), target, by);
      if (welcome === 'wait') {
        throw new WeaveError(
          'JOIN_REFUSED',
          `${target} is in no cluster yet; 'weavets cluster init' there makes one`,
        );
      }
      checkFits(welcome, host.config);
      const self = this.#self();
      await keepWelcome(etcdFolder, { welcome, config: host.config, self });
      await this.#enterOrDrop();
    });
  }

  /** A host of the cluster is none any more: its certificates and its password let it in no more. @throws WeaveError STORE_UNAVAILABLE */
  remove(name: string): Promise<void> {
    return expelHost(this.#deps.seat, name);
  }

  /** The tokens of this host's cluster. @throws WeaveError USAGE: it is in none */
  async tokens(): Promise<{ tokens: Tokens; authority: CertificateAndKey }> {
    const { seat, logger } = this.#deps;
    const authority = await readAuthority(etcdFolder);
    if (seat.membership && authority)
      return { tokens: new Tokens(seat.membership.shared, logger), authority };
    throw new WeaveError(
      'USAGE',
      seat.membership
        ? 'this cluster has an etcd of its own: hosts join it by launch --store'
        : "this host is in no cluster; 'weavets cluster init' makes one",
    );
  }

  async #seek(): Promise<void> {
    if (!this.#seeking) return;
    await this.#lock.run('seat', async () => {
      if (!this.#seeking || this.#deps.seat.membership || performance.now() < this.#resting) return;
      try {
        const found = await askAll({
          ...this.#find(),
          check: (welcome) => checkFits(welcome, this.#deps.host.config),
        });
        if (found) await this.#enterOrDrop();
      } catch (error) {
        this.#tellSeeking(messageOf(error));
        this.#resting = performance.now() + rest;
      }
    });
  }

  #tellSeeking(reason: string): void {
    const { host, conditions } = this.#deps;
    const targets = host.targets.list().join(', ');
    const meanwhile = host.way === 'sought' ? '; until one lets it in no addresses are given here' : '';
    conditions.set(
      'CLUSTER_SOUGHT',
      `this host looks for its cluster by way of ${targets}: ${reason}${meanwhile}`,
    );
  }

  async #found(voters?: 3 | 5): Promise<void> {
    const { host, logger } = this.#deps;
    const self = this.#self();
    await keepNetwork(etcdFolder, host.config);
    const addresses = addressesBeside(host.network, self.address);
    await createCluster(
      { folder: etcdFolder, name: self.name, address: self.address, addresses },
      this.#deps.signal,
    );
    logger.info('this host is the first of a cluster');
    await this.#enter();
    await this.#setVoters(voters);
  }

  async #setVoters(voters: 3 | 5 | undefined): Promise<void> {
    if (voters === undefined) return;
    await this.#deps.seat.membership?.shared.commit([etcdVotersRecord.write('voters', voters)]);
  }

  /** As {@link #enter}; what others' addresses forbid now, a later launch must not take for done. */
  async #enterOrDrop(): Promise<void> {
    await this.#enter().catch(async (error: unknown) => {
      if (hasCode(error, 'CLUSTER_MISMATCH')) await dropKept(etcdFolder);
      throw error;
    });
  }

  /** Takes the place that this host has by its files. */
  async #enter(): Promise<void> {
    const { host, seat, conditions } = this.#deps;
    const config = (await asKept(etcdFolder, host.config)) as LaunchConfig;
    await seat.enter(config, { first: true });
    this.#seeking = false;
    conditions.clear('CLUSTER_SOUGHT');
    await this.#service.serve();
  }

  #admit(joining: JoiningHost, by: Credential['kind']): Promise<Welcome | 'wait'> {
    const { seat, host } = this.#deps;
    if (joining.name === host.peer) {
      if (joining.address === host.underlay.address) return Promise.resolve('wait');
      throw new WeaveError(
        'CLUSTER_MISMATCH',
        `it has the name ${host.peer} as this one; were they cloned? give it another /etc/machine-id, or launch it with --name`,
      );
    }
    // Of two that look for each other one founds; the other, which may not know this one, is asked by it.
    if (this.#seeking && host.peer > joining.name) {
      this.#callers.add(joining.address);
      return Promise.resolve('wait');
    }
    return this.#lock.run('seat', async () => {
      if (!seat.membership) await this.#found();
      await admitHost(seat, joining.name, by);
      return welcomeOf(seat);
    });
  }

  #self(): JoiningHost & { address: string } {
    const { peer: name, config, underlay } = this.#deps.host;
    const { address } = underlay;
    if (address !== undefined) return { name, nickname: config.nickname, address };
    throw new WeaveError(
      'LAUNCH_FAILED',
      'this host has no IPv4 address that others could reach; set its network up first',
    );
  }

  #find(): FindOptions {
    const { host, signal, logger } = this.#deps;
    const targets = [...new Set([...host.targets.list(), ...this.#callers])];
    return { config: host.config, folder: etcdFolder, self: this.#self(), targets, logger, signal };
  }
}

/** @throws WeaveError CLUSTER_MISMATCH for a cluster that this daemon, as it was launched, can't be part of */
function checkFits({ range, domain, password }: Welcome, config: LaunchConfig): void {
  const differs = [
    range !== null && config.ipallocRange !== null && range !== config.ipallocRange && 'address range',
    domain !== config.dnsDomain && 'domain',
    password !== config.password && 'password',
  ].filter((what) => what !== false);
  if (differs.length === 0) return;
  throw new WeaveError(
    'CLUSTER_MISMATCH',
    `this host runs with another ${differs.join(' and ')} than the cluster; 'weavets stop', then 'weavets launch --join TOKEN@HOST' takes the cluster's`,
  );
}
