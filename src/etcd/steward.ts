import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Ip } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { isDenied } from '../store/etcd/session.ts';
import { etcdHostRecord, etcdMembersRecord, etcdPrefix, etcdStewardRecord } from '../store/records/etcd.ts';
import type { RecordKind } from '../store/records/record-kind.ts';
import { removedRecord } from '../store/records/removed.ts';
import type { Entry, Store } from '../store/store.ts';
import type { CertificateAndKey } from './authority.ts';
import { readClusterFile, writeClusterFile } from './cluster-file.ts';
import { Coordinator } from './coordinator.ts';
import { EtcdMember } from './member-process.ts';
import { endpointOf, type Member, Members } from './members.ts';
import { installedVersion, type OwnMember } from './own-member.ts';

/** What a {@link Steward} needs. */
export interface StewardDeps {
  /** of the host's state, see files.ts */
  folder: string;
  self: { name: string; address: string };
  ca: CertificateAndKey;
  own: OwnMember;
  shared: Store;
  /** called with the members whenever they have changed */
  changed: (members: readonly Member[]) => Promise<void> | void;
  /** told when the host's certificates are new */
  renewed: () => Promise<void> | void;
  /** ms of silence after which a member is replaced; ten minutes if absent */
  patience?: number;
  conditions: Pick<Conditions, 'set' | 'clear' | 'update'>;
  logger: Logger;
  signal: AbortSignal;
}

/** ms between looks, during a change and otherwise */
const pauses = { busy: 500, idle: 3_000 };
/** ms between looks at whether another host was restored from a backup */
const heedPause = 10_000;
/** ms between looks at whether etcd still serves this host */
const servedPause = 10_000;
/** ms between looks at what changes by the day */
const tendPause = 600_000;

/** Maintains the cluster's etcd, on each of its hosts; on one at a time it decides who is a member. */
export class Steward {
  readonly #deps: StewardDeps;
  readonly #run = randomUUID();
  readonly #coordinator: Coordinator;
  /** all below `etcd/` */
  readonly #entries = new Map<string, Entry>();
  #members: readonly Member[] = [];
  /** revision of the last list of members */
  #heard = 0;
  #heeded = Number.NEGATIVE_INFINITY;
  #served = Number.NEGATIVE_INFINITY;
  #tended = Number.NEGATIVE_INFINITY;
  #version: string | null | undefined;
  #wake = () => {};
  #ended: Promise<void> = Promise.resolve();

  private constructor(deps: StewardDeps) {
    this.#deps = deps;
    const { folder, shared, patience = 600_000, conditions, logger } = deps;
    const leads = () => this.#leads();
    this.#coordinator = new Coordinator({ folder, shared, leads, patience, conditions, logger });
  }

  /** Runs until the signal; etcd need not be up yet. */
  static start(deps: StewardDeps): Steward {
    const steward = new Steward(deps);
    const told = () => steward.#wake();
    const watcher = {
      reset: (entries: Entry[]) => {
        steward.#entries.clear();
        for (const entry of entries) steward.#entries.set(entry.key, entry);
        told();
      },
      change: ({ key, value, revision }: { key: string; value: string | null; revision: number }) => {
        if (value === null) steward.#entries.delete(key);
        else steward.#entries.set(key, { key, value, revision });
        told();
      },
    };
    void deps.shared.watch(etcdPrefix, watcher, deps.signal);
    steward.#ended = steward.#loop();
    return steward;
  }

  /** Resolves when the last of it has ended, after the signal. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** The members as all hosts are told, and who changes them now. */
  state(): { members: readonly Member[]; steward: string | undefined } {
    const steward = parsed(etcdStewardRecord, this.#entries.get(stewardKey))?.host;
    return { members: this.#members, steward };
  }

  async #loop(): Promise<void> {
    const { signal, logger } = this.#deps;
    const stop = () => this.#wake();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      let woken = false;
      this.#wake = () => {
        woken = true;
      };
      const busy = await this.#look().catch(async (error: unknown) => {
        if (signal.aborted) return true;
        logger.debug({ reason: messageOf(error) }, 'cannot look after etcd now');
        await (isDenied(error) ? this.#askBack() : this.#askOwn()).catch(() => {});
        return true;
      });
      if (woken || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, busy ? pauses.busy : pauses.idle);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    signal.removeEventListener('abort', stop);
  }

  /** @returns true while something is under way */
  async #look(): Promise<boolean> {
    const { own } = this.#deps;
    // Without valid ones nothing can be reached, as after the clock was wrong.
    if (await own.keepCertificates()) await this.#deps.renewed();
    const members = await this.#reach();
    // First, as everything else depends on it.
    await own.follow(this.#members, members);
    if (await this.#heedRestore(members)) return true;
    await this.#register();
    if (performance.now() - this.#served > servedPause) {
      // Nothing else may ask for long; what is watched goes on even if etcd would refuse to serve this host.
      await this.#deps.shared.get(membersKey);
      this.#served = performance.now();
    }
    if (performance.now() - this.#tended > tendPause) {
      await own.tend(members);
      this.#tended = performance.now();
    }
    if (await this.#takeLead()) return this.#coordinator.run(members);
    this.#coordinator.rest();
    return false;
  }

  /** Says that this host can be a member. */
  async #register(): Promise<void> {
    const { self, shared } = this.#deps;
    const key = etcdHostRecord.keyOf(self.name);
    this.#version ??= await installedVersion();
    const now = (since: number) => ({ address: self.address as Ip, since, version: this.#version ?? null });
    const known = parsed(etcdHostRecord, this.#entries.get(key));
    if (known && isDeepStrictEqual(known, now(known.since))) return;
    const before = parsed(etcdHostRecord, await shared.get(key));
    await shared.commit([etcdHostRecord.write(self.name, now(before?.since ?? Date.now()))]);
  }

  /** @returns true while this daemon is the one that changes the members; the first to write has it */
  async #takeLead(): Promise<boolean> {
    const { shared, self } = this.#deps;
    const entry = this.#entries.get(stewardKey);
    const run = parsed(etcdStewardRecord, entry)?.run;
    if (run !== undefined && run !== this.#run) return false;
    if (run === undefined) {
      const lead = { host: self.name, run: this.#run };
      const expect = entry?.revision ?? 0;
      await shared.commit([etcdStewardRecord.write('steward', lead, { leased: true, expect })]);
    }
    return this.#leads();
  }

  async #leads(): Promise<boolean> {
    const entry = await this.#deps.shared.get(stewardKey);
    return parsed(etcdStewardRecord, entry)?.run === this.#run;
  }

  /** Those that vote, as was heard last. */
  async #reach(): Promise<Members> {
    const { folder, ca } = this.#deps;
    const entry = this.#entries.get(membersKey);
    const heard = parsed(etcdMembersRecord, entry);
    if (entry && heard && entry.revision !== this.#heard) {
      await this.#adopt(heard.members);
      this.#heard = entry.revision;
    }
    const file = await readClusterFile(folder);
    if (file === undefined) throw new Error('this host is in no managed cluster');
    return new Members({ endpoints: file.endpoints, ca });
  }

  /**
   * A member of this cluster that is one of another now was restored from a backup while the rest was away. That one is
   * the cluster to be in, for its hosts have gone on with it.
   * @returns true when this host goes there
   */
  async #heedRestore(members: Members): Promise<boolean> {
    const { own, self, logger } = this.#deps;
    const clusterId = parsed(etcdMembersRecord, this.#entries.get(membersKey))?.clusterId;
    if (!this.#members.some(({ address }) => address === self.address)) return false;
    if (clusterId === undefined || performance.now() - this.#heeded < heedPause) return false;
    this.#heeded = performance.now();
    for (const member of this.#members) {
      const status = await members.status(member.address);
      if (member.address === self.address || status === undefined || status.clusterId === clusterId) continue;
      logger.warn(
        { address: member.address },
        'etcd was restored from a backup on another host; going there',
      );
      await own.leave();
      await this.#adopt([{ ...member, learner: false }]);
      return true;
    }
    return false;
  }

  /** etcd does not know this host: it was removed, or came after the backup that etcd was restored from. */
  async #askBack(): Promise<void> {
    const { self, conditions } = this.#deps;
    const members = await this.#reach();
    const removed = (await members.get(removedRecord.keyOf(self.name))) !== undefined;
    conditions.update('HOST_REMOVED', removed ? removedText : undefined);
    if (!removed) await members.admit(self.name);
  }

  /** None of the voters that were known answers: this host's own member may have become one meanwhile. */
  async #askOwn(): Promise<void> {
    const { folder, self, ca, own } = this.#deps;
    if ((await EtcdMember.find(folder)) === undefined) return;
    const members = new Members({ endpoints: [endpointOf(self.address)], ca });
    // Or this host has another address, which the others can't know.
    await own.follow((await members.list()).members, members);
    await this.#adopt((await members.list()).members);
  }

  async #adopt(members: readonly Member[]): Promise<void> {
    const { folder, changed } = this.#deps;
    if (isDeepStrictEqual(members, this.#members)) return;
    const file = await readClusterFile(folder);
    const endpoints = endpointsOf(members);
    if (file && !isDeepStrictEqual(endpoints, file.endpoints)) {
      await writeClusterFile(folder, { ...file, endpoints });
    }
    await changed(members);
    this.#members = members;
  }
}

const removedText =
  "this host was removed from its cluster: its containers keep their network, but no more addresses are given here, and the others don't see it; 'weavets reset', and join again by a new token";

/** `address:port` of those that serve, which a learner does not. */
export function endpointsOf(members: readonly Member[]): string[] {
  const voters = members.filter(({ learner }) => !learner);
  return voters.map(({ address }) => endpointOf(address)).sort();
}

const stewardKey = etcdStewardRecord.keyOf('steward');
const membersKey = etcdMembersRecord.keyOf('members');

/** @returns undefined, too, for what is no such record */
function parsed<K, V>(kind: RecordKind<K, V>, entry: Entry | undefined): V | undefined {
  const record = entry && kind.parse(entry);
  return typeof record === 'object' ? record.value : undefined;
}
