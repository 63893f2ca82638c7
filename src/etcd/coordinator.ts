import { hasCode, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Ip } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { aliveRecord } from '../store/records/alive.ts';
import { etcdHostRecord, etcdMembersRecord, etcdVotersRecord } from '../store/records/etcd.ts';
import { hostRecord } from '../store/records/host.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store, Write } from '../store/store.ts';
import type { Member, MemberList, Members } from './members.ts';
import { takeSnapshot } from './snapshots.ts';
import { type Candidate, canJoin, nextStep, type SeenMember, type Step } from './voters.ts';

/** What a {@link Coordinator} needs. */
export interface CoordinatorDeps {
  folder: string;
  shared: Store;
  /** false once another host may have taken over */
  leads: () => Promise<boolean>;
  /** ms of silence after which a member is replaced */
  patience: number;
  conditions: Pick<Conditions, 'update'>;
  logger: Logger;
}

/** ms of silence after which a learner that others wait for is given up */
const learnerPatience = 60_000;
/** ms of silence after which people are told: longer than a restart takes */
const tellAfter = 15_000;
/** ms for which a member's host may be missing from the store: it may just be registering again */
const grace = 30_000;

/** Changes etcd's members, one step at a time, for all hosts; one daemon does it at a time. */
export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #hosts;
  /** number of a member to when it was first found not to answer */
  readonly #silent = new Map<string, number>();
  /** of etcd, on the members that answer */
  #versions: readonly string[] = [];
  /** address of a member to when its host was first found missing */
  readonly #missing = new Map<string, number>();

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps;
    this.#hosts = new RecordReader(etcdHostRecord, deps.logger);
  }

  /**
   * Makes the changes that are due, and tells all hosts who the members are.
   * @returns true while a change is under way
   */
  async run(members: Members): Promise<boolean> {
    for (;;) {
      const list = await members.list();
      await this.#publish(list);
      const seen = await this.#look(list.members, members);
      const step = nextStep(await this.#situation(seen));
      if (step === undefined) return seen.some(({ learner, silent }) => learner && silent > 0);
      if (!(await this.#deps.leads())) return false;
      try {
        await this.#carryOut(step, members);
      } catch (error) {
        if (!hasCode(error, 'ETCD_FAILED')) throw error;
        // A learner has not caught up, or voters have only just met.
        this.#deps.logger.debug({ ...step, reason: messageOf(error) }, 'etcd is not ready for a change');
        return true;
      }
    }
  }

  async #carryOut(step: Step, members: Members): Promise<void> {
    const { folder, logger } = this.#deps;
    if (step.do !== 'promote') await takeSnapshot(folder, members);
    if (step.do === 'add') await members.addLearner(step.address);
    else if (step.do === 'promote') await members.promote(step.id);
    else await members.remove(step.id);
    logger.info({ ...step }, texts[step.do]);
  }

  async #publish(list: MemberList): Promise<void> {
    const { shared } = this.#deps;
    const write = membersWrite(list);
    const before = await shared.get(write.key);
    if (before?.value !== write.value) await shared.commit([write]);
  }

  async #look(list: readonly Member[], members: Members): Promise<SeenMember[]> {
    const { conditions } = this.#deps;
    const statuses = await Promise.all(list.map(({ address }) => members.status(address)));
    const full = statuses.some((status) => status?.problems.some((problem) => /NOSPACE/.test(problem)));
    conditions.update('ETCD_FULL', full ? fullText : undefined);
    if (full) {
      for (const { address } of list) await members.defragment(address);
      await members.disarm();
    }
    this.#versions = statuses.flatMap((status) => status?.version ?? []);
    const now = performance.now();
    keepOnly(
      this.#silent,
      list.map(({ id }) => id),
    );
    const seen = list.map(({ id, address, learner }, i) => {
      const status = statuses[i];
      const silent = elapsed(this.#silent, id, { now, is: status === undefined });
      return { id, address, learner, leader: status?.leader ?? false, silent };
    });
    const silent = seen.filter((member) => member.silent > tellAfter).map(({ address }) => address);
    conditions.update('ETCD_SILENT', silent.length > 0 ? silentText(silent) : undefined);
    return seen;
  }

  /** Another daemon publishes the members now. */
  rest(): void {
    const { conditions } = this.#deps;
    conditions.update('ETCD_SILENT', undefined);
    conditions.update('ETCD_FULL', undefined);
  }

  async #situation(members: SeenMember[]) {
    const { shared, patience } = this.#deps;
    const [registered, present, alive, wanted] = await Promise.all([
      shared.list(etcdHostRecord.prefix),
      shared.list(hostRecord.prefix),
      shared.list(aliveRecord.prefix),
      shared.get(etcdVotersRecord.keyOf('voters')),
    ]);
    const names = new Set(present.map(({ key }) => hostRecord.parseKey(key)));
    const living = new Set(alive.map(({ key }) => aliveRecord.parseKey(key)));
    const hosts: Candidate[] = this.#hosts
      .readAll(registered)
      .filter(({ key }) => names.has(key))
      .map(({ key, value: { address, since, version } }) => ({
        address,
        since,
        ready: version !== null && canJoin(version, this.#versions) && living.has(key),
      }));
    const now = performance.now();
    keepOnly(
      this.#missing,
      members.map(({ address }) => address),
    );
    for (const { address } of members) {
      const is = hosts.every((host) => host.address !== address);
      const missing = elapsed(this.#missing, address, { now, is });
      if (missing > 0 && missing < grace) hosts.push({ address, since: 0, ready: false });
    }
    const voters = wanted && etcdVotersRecord.parse(wanted);
    return {
      hosts,
      members,
      wanted: typeof voters === 'object' ? voters.value : 3,
      patience,
      learnerPatience,
    };
  }
}

/** Publishes to all hosts who the members are. */
export function membersWrite({ clusterId, members }: MemberList): Write {
  const list = members.map(({ id, name, address, learner }) => ({
    id,
    name,
    address: address as Ip,
    learner,
  }));
  return etcdMembersRecord.write('members', { clusterId, members: list });
}

const fullText =
  'etcd has no room left, and takes no more changes until it has; delete what is in it beside /weavets/';

const silentText = (addresses: readonly string[]) =>
  `the etcd of ${addresses.join(', ')} does not answer; one that is silent for ten minutes is replaced by another host's`;

const texts = {
  add: 'a host becomes a member of etcd',
  promote: 'a member of etcd has a vote now',
  remove: 'a host is a member of etcd no more',
} as const;

/** ms for which something has been so, at least 1; 0: it is not. */
function elapsed(since: Map<string, number>, key: string, { now, is }: { now: number; is: boolean }): number {
  if (!is) {
    since.delete(key);
    return 0;
  }
  const first = since.get(key) ?? now;
  since.set(key, first);
  return Math.max(now - first, 1);
}

function keepOnly(since: Map<string, number>, keys: readonly string[]): void {
  for (const key of since.keys()) if (!keys.includes(key)) since.delete(key);
}
