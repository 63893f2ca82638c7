import { setMaxListeners } from 'node:events';
import { NameClaim } from '../cluster/claim.ts';
import { keepAccess } from '../cluster/leave.ts';
import { isManaged } from '../cluster/managed.ts';
import { EtcdMembers, membersKey, movedKey } from '../cluster/members.ts';
import { reopenAfterCrash } from '../cluster/moved.ts';
import { connectStore, makeDatapath } from '../cluster/overlay.ts';
import { keepPeerName } from '../cluster/peer.ts';
import type { Cluster, ClusterFollower } from '../cluster/registration.ts';
import { agreeOnSettings } from '../cluster/settings.ts';
import type { LaunchConfig } from '../config/config.ts';
import { demand } from '../doctor/check.ts';
import { encryption } from '../doctor/checks/encryption.ts';
import { etcdFolder } from '../etcd/files.ts';
import { type Allocator, noRange } from '../ipam/allocator.ts';
import { Blocks } from '../ipam/blocks.ts';
import { carryOver } from '../ipam/carry-over.ts';
import { withdrawTurn } from '../ipam/eras.ts';
import { OwnBlocks } from '../ipam/own-blocks.ts';
import type { Space } from '../ipam/space.ts';
import type { SwitchedSpace } from '../ipam/switched-space.ts';
import { WeaveError } from '../lib/errors.ts';
import { UndoStack } from '../lib/undo.ts';
import { type Datapath, forgetPeers } from '../net/overlay/datapath.ts';
import type { KeySeal } from '../net/overlay/seal.ts';
import type { EtcdStore } from '../store/etcd/etcd.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';
import { startMember, startSteward } from './stages/keep-member.ts';
import type { PreparedHost } from './stages/prepare-host.ts';

/** What a host has of its cluster. */
export interface Membership {
  /** with the cluster's store */
  config: LaunchConfig;
  shared: EtcdStore;
  members: EtcdMembers;
  claim: NameClaim;
  /** null: the cluster is not encrypted */
  seal: KeySeal | null;
  /** undefined: this host gives no addresses */
  blocks: Blocks | undefined;
  /** aborted when this host has another place, or none */
  signal: AbortSignal;
}

/** What a {@link Seat} is made of. */
export interface SeatDeps extends Pick<DaemonDeps, 'signal' | 'conditions' | 'logger'> {
  host: PreparedHost;
  /** tells this host from others of its name */
  id: string;
  allocator: Allocator;
  space: SwitchedSpace;
  /** what was begun ends with the daemon */
  undo: UndoStack;
}

/**
 * This host's place among others: in a cluster, or alone, and then it may take a place in one while it runs. Nothing
 * that runs notices: addresses stay, and are only noted as this host's in the cluster.
 */
export class Seat {
  readonly allocator: Allocator;
  readonly id: string;
  readonly #deps: SeatDeps;
  #membership: Membership | undefined;
  #datapath: Datapath | undefined;
  #cluster: Cluster | undefined;
  #announce: ((membership: Membership, datapath: Datapath) => Cluster) | undefined;
  #follower: ClusterFollower | undefined;
  #completed = false;
  /** takes back what {@link enter} began */
  #end: () => Promise<unknown> = async () => {};

  constructor(deps: SeatDeps) {
    this.#deps = deps;
    this.allocator = deps.allocator;
    this.id = deps.id;
  }

  /** undefined: this host is alone */
  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** This host among the others; undefined: it is alone, or has not told them of itself yet. */
  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  /** undefined: the bridge alone does */
  get datapath(): Datapath | undefined {
    return this.#datapath;
  }

  /** What a host has that is alone: its name, and Open vSwitch, if it is asked for. */
  async begin(): Promise<void> {
    const { config, store, peer } = this.#deps.host;
    if (config.store !== 'lmdb') return;
    await keepPeerName(store, peer);
    if (config.datapath === 'bridge') await forgetPeers();
    await this.#startDatapath(config);
  }

  /**
   * Takes a place in the cluster that the config names.
   * @param first it was in none before: then addresses in use here that are others' are a reason not to
   * @throws WeaveError CLUSTER_MISMATCH, STORE_UNAVAILABLE; it is alone then as before
   */
  async enter(config: LaunchConfig, { first }: { first: boolean }): Promise<void> {
    const { space, undo } = this.#deps;
    const ending = new AbortController();
    const own = new UndoStack();
    space.pause();
    let blocks: Space | undefined;
    const { host, conditions, logger } = this.#deps;
    const { firewall } = host;
    const signal = AbortSignal.any([this.#deps.signal, ending.signal]);
    // Each part listens for the end.
    setMaxListeners(0, signal);
    try {
      const managed = isManaged(etcdFolder, config);
      const member = managed ? await startMember({ host, conditions, logger, signal }) : undefined;
      const membership = await this.#join(config, { first, own, signal });
      await this.#startDatapath(config);
      this.#membership = membership;
      blocks = membership.blocks;
      this.#speak();
      if (member) startSteward({ member, ...this.#deps, ...membership, firewall, signal }, own);
      // First to be undone: the others end with it.
      own.push(() => ending.abort());
      this.#end = () => own.rollback();
      undo.push(this.#end);
    } catch (error) {
      ending.abort();
      await own.rollback();
      if (first) await host.store.commit([{ key: membersKey, value: null }]);
      throw error;
    } finally {
      space.use(blocks);
    }
  }

  /**
   * Gives up the place in the cluster and takes that which `carry` makes; nothing that runs notices. If either fails, what
   * it has begun is undone, and the host is again where it was.
   */
  async move(carry: (undo: UndoStack) => Promise<LaunchConfig>): Promise<void> {
    const { config, members } = this.#membership as Membership;
    const undo = new UndoStack();
    this.#deps.space.pause();
    const before = { ...config, store: members.store };
    await this.#end();
    this.#membership = undefined;
    this.#cluster = undefined;
    try {
      await this.enter(await carry(undo), { first: false });
    } catch (error) {
      await undo.rollback();
      await this.enter(before, { first: false });
      throw error;
    }
  }

  /** @param announce makes this host known to the others; called at once, or once it has a place among them */
  announceBy(announce: (membership: Membership, datapath: Datapath) => Cluster): void {
    this.#announce = announce;
    this.#speak();
  }

  /** @param follower told of what the other hosts do, once there are some */
  followBy(follower: ClusterFollower): void {
    this.#follower = follower;
    this.#cluster?.follow(follower);
  }

  /** The others drop this host, and its addresses are theirs to give. @throws WeaveError STORE_UNAVAILABLE */
  async leave(): Promise<void> {
    await this.#cluster?.leave();
    await this.#end();
    const { store } = this.#deps.host;
    await OwnBlocks.forget(store);
    await store.commit([membersKey, movedKey].map((key) => ({ key, value: null })));
  }

  /** Something of a container changed. */
  changed(id: string): void {
    this.#cluster?.changed(id);
  }

  /** All containers of this host have been looked at. */
  completed(): void {
    this.#completed = true;
    this.#cluster?.completed();
  }

  async #join(
    config: LaunchConfig,
    { first, own, signal }: { first: boolean; own: UndoStack; signal: AbortSignal },
  ): Promise<Membership> {
    const { host, id, conditions, logger, allocator } = this.#deps;
    const { store: local, peer, underlay } = host;
    const { address } = underlay;
    if (address === undefined) {
      throw new WeaveError(
        'LAUNCH_FAILED',
        'this host has no IPv4 address that others could reach; set its network up first',
      );
    }
    await demand(encryption, { config });
    const shared = await connectStore(config, logger);
    if (shared === undefined) throw new WeaveError('INTERNAL', 'a cluster without a store');
    own.push(() => shared.close());
    const members = await EtcdMembers.of(config.store, local, shared);
    await keepAccess(local, config);
    if (!isManaged(etcdFolder, config)) await reopenAfterCrash(shared, id).catch(() => {});
    let blocks: Blocks | undefined;
    const changed = (lost: string | undefined) => {
      blocks?.suspend(lost);
      conditions.update('NAME_TAKEN', lost && `${lost}; no more addresses are given here`);
    };
    const claim = await NameClaim.take({ shared, name: peer, id, address, changed, signal, logger });
    // After the claim: a last host that leaves sees that there is another.
    const seal = await agreeOnSettings(config, { shared, local });
    await keepPeerName(local, peer);
    const { range } = allocator;
    // Of another cluster, perhaps.
    if (first) await OwnBlocks.forget(local);
    if (range === noRange) await withdrawTurn(shared, peer);
    else {
      blocks = await Blocks.start({
        shared,
        local,
        peer,
        machine: id,
        claimed: claim.entry,
        range,
        conditions,
        signal,
        logger,
      });
      if (first) await carryOver(blocks, allocator);
      else void blocks.attach(allocator);
    }
    return { config, shared, members, claim, seal, blocks, signal };
  }

  async #startDatapath(config: LaunchConfig): Promise<void> {
    const { host, id, undo, logger } = this.#deps;
    const { underlay, mtu, firewall: guard } = host;
    if (this.#datapath) return;
    const datapath = makeDatapath(config, { id, underlay, mtu, guard, logger });
    if (datapath === undefined) return;
    await datapath.start();
    undo.push(() => datapath.stop());
    this.#datapath = datapath;
  }

  #speak(): void {
    if (this.#cluster || !this.#membership || !this.#datapath) return;
    this.#cluster = this.#announce?.(this.#membership, this.#datapath);
    if (this.#follower) this.#cluster?.follow(this.#follower);
    if (this.#completed) this.#cluster?.completed();
  }
}
