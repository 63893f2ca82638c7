import { rm } from 'node:fs/promises';
import { hasCode, messageOf } from '../lib/errors.ts';
import { run } from '../lib/exec.ts';
import type { Logger } from '../lib/log.ts';
import type { Conditions } from '../model/conditions.ts';
import { type CertificateAndKey, clusterIdOf } from './authority.ts';
import { ensureCertificates, etcdFiles, readMemberId, writePrivate } from './files.ts';
import { EtcdMember, hasData, putDataAside } from './member-process.ts';
import type { Member, Members } from './members.ts';
import { listSnapshots, takeSnapshot } from './snapshots.ts';

/** What an {@link OwnMember} needs. */
export interface OwnMemberDeps {
  folder: string;
  self: { name: string; address: string };
  /** by which others reach this host, and it them */
  addresses: () => readonly string[];
  ca: CertificateAndKey;
  conditions: Pick<Conditions, 'set' | 'clear'>;
  logger: Logger;
  signal: AbortSignal;
}

/** ms between snapshots of a member */
const snapshotPause = 86_400_000;
/** bytes from which a half-empty file is worth shrinking */
const worthwhile = 64 << 20;

/** This host's own part in etcd: runs as a member if the others have it in their list, and only then. */
export class OwnMember {
  readonly #deps: OwnMemberDeps;

  constructor(deps: OwnMemberDeps) {
    this.#deps = deps;
  }

  /** Continues with what the host has, before any other can be asked; failure is a condition. */
  async resume(): Promise<void> {
    await this.keepCertificates();
    if (hasData(this.#deps.folder)) await this.#start([]);
  }

  /** @returns true when certificates are new */
  keepCertificates(): Promise<boolean> {
    const { folder, self, ca, addresses } = this.#deps;
    return ensureCertificates(folder, { ca, name: self.name, addresses: addresses() });
  }

  /**
   * Brings the member of this host to where the list has it. One that has data goes on by itself; to become one, or to
   * be one no more, takes the word of a majority.
   * @param list as it was published, maybe some time ago; empty: none is known yet
   */
  async follow(list: readonly Member[], members: Members): Promise<void> {
    const { folder, self, conditions, logger } = this.#deps;
    const memberId = await readMemberId(folder);
    const listed = own(list, memberId, self.address);
    const running = await EtcdMember.find(folder);
    // Until a list is heard, it stays what it was.
    if (memberId !== undefined && hasData(folder) && (list.length === 0 || listed?.id === memberId)) {
      if (!running?.listensOn(self.address)) return this.#start([]);
      conditions.clear('ETCD_MEMBER');
      if (listed && listed.address !== self.address) await members.move(listed.id, self.address);
      return;
    }
    if (!listed && !running && !hasData(folder)) return;
    const now = (await members.list()).members;
    const current = own(now, memberId, self.address);
    if (current === undefined || (memberId !== undefined && memberId !== current.id)) {
      logger.info('this host is a member of etcd no more');
      await this.leave();
    }
    if (current === undefined) return;
    await writePrivate(etcdFiles(folder).memberId, current.id);
    await this.#start(now);
  }

  /** Daily chores: a snapshot, freeing space, keeping the log small. */
  async tend(members: Members): Promise<void> {
    const { folder, self, logger } = this.#deps;
    const running = await EtcdMember.find(folder);
    if (running === undefined) return;
    await running.trimLog();
    const [newest] = await listSnapshots(folder);
    // Its time is in the future when the clock was set back.
    if (newest === undefined || Math.abs(Date.now() - newest.at.getTime()) > snapshotPause) {
      await takeSnapshot(folder, members);
    }
    const status = await members.status(self.address);
    if (status && status.size > worthwhile && status.used < status.size / 2) {
      logger.info({ size: status.size, used: status.used }, 'giving back what etcd does not use');
      await members.defragment(self.address);
    }
  }

  /** Ends this host's member, if there is one; its data is set aside. */
  async leave(): Promise<void> {
    const { folder } = this.#deps;
    await (await EtcdMember.find(folder))?.stop();
    await putDataAside(folder);
    await rm(etcdFiles(folder).memberId, { force: true });
  }

  /** @param list empty: it has data, and goes by that */
  async #start(list: readonly Member[]): Promise<void> {
    const { folder, self, ca, signal, conditions, logger } = this.#deps;
    const others = list.filter(({ address }) => address !== self.address);
    const cluster = Object.fromEntries([
      ...others.map(({ name, address }) => [name || address, address]),
      [self.name, self.address],
    ]) as Record<string, string>;
    try {
      const begin = { cluster, state: 'existing' as const, token: clusterIdOf(ca.cert) };
      const { pid } = await EtcdMember.start({ folder, ...self, begin }, signal);
      logger.info({ pid }, 'the etcd of this host runs');
      conditions.clear('ETCD_MEMBER');
    } catch (error) {
      if (!hasCode(error, 'ETCD_FAILED') && !hasCode(error, 'TOOL_MISSING')) throw error;
      conditions.set(
        'ETCD_MEMBER',
        `the etcd of this host does not run, and is started again and again: ${messageOf(error)}`,
      );
    }
  }
}

/** This host's member: by its id, as its address may have changed; otherwise by its address. */
function own(list: readonly Member[], id: string | undefined, address: string): Member | undefined {
  return list.find((member) => member.id === id) ?? list.find((member) => member.address === address);
}

/** Version of the installed etcd; null: none. */
export async function installedVersion(): Promise<string | null> {
  try {
    const { stdout } = await run(['etcd', '--version']);
    return /^etcd Version: (\S+)/m.exec(stdout)?.[1] ?? null;
  } catch (error) {
    if (hasCode(error, 'TOOL_MISSING')) return null;
    throw error;
  }
}
