import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { memberClientPort } from '../model/ports.ts';
import { library } from '../store/etcd/library.ts';
import { type CallOptions, EtcdSession } from '../store/etcd/session.ts';
import type { Write } from '../store/store.ts';
import { type CertificateAndKey, commonNames, issue, userOf } from './authority.ts';
import { peerUrl } from './member-process.ts';

type Client = EtcdSession['client'];

/** What a host may have in etcd. */
const role = 'weavets';

/** One member of etcd. */
export interface Member {
  /** etcd's number for it */
  id: string;
  /** the host's; empty as long as it has never started */
  name: string;
  /** of the host */
  address: string;
  /** it gets all data, but has no vote yet */
  learner: boolean;
}

/** The members, as a majority of the voters knows them. */
export interface MemberList {
  /** etcd's own number for the cluster */
  clusterId: string;
  members: Member[];
}

/** How one member does. */
export interface MemberStatus {
  /** see {@link MemberList} */
  clusterId: string;
  version: string;
  leader: boolean;
  learner: boolean;
  /** size of its file, bytes, and how much of that is used */
  size: number;
  used: number;
  /** of the last change it has applied */
  index: number;
  /** it takes no more writes, for one */
  problems: string[];
}

/** How to reach the members. */
export interface MembersOptions {
  /** `address:port` of those that vote */
  endpoints: readonly string[];
  ca: CertificateAndKey;
}

/** ms for a call */
const callTimeout = 3_000;
/** ms for one that may take long, as a snapshot or defragmentation */
const longTimeout = 60_000;

/** etcd's members, called as its root. Calls are rare, so each has its own connection. */
export class Members {
  readonly #endpoints: readonly string[];
  readonly #tls: { ca: string; cert: string; key: string };

  constructor({ endpoints, ca }: MembersOptions) {
    this.#endpoints = endpoints;
    // Nothing of it is ever written down.
    this.#tls = { ca: ca.cert, ...issue({ ca, kind: 'admin', name: 'weavets', days: 1 }) };
  }

  /** @throws WeaveError STORE_UNAVAILABLE when no majority answers */
  list(): Promise<MemberList> {
    return this.#any(async (client, options) => {
      // etcd 3.4 lists what this member knows, be it cut off or not; a read by a majority before it makes that recent.
      await client.kv.range({ key: Buffer.from('/weavets/') }, options);
      const { header, members } = await client.cluster.memberList({ linearizable: true }, options);
      const list = members.map(({ ID, name, peerURLs: [url = ''], isLearner }) => ({
        id: ID,
        name,
        address: /^https:\/\/(.+):\d+$/.exec(url)?.[1] ?? '',
        learner: isLearner,
      }));
      return { clusterId: header.cluster_id, members: list };
    });
  }

  /** @returns undefined: it does not answer */
  async status(address: string): Promise<MemberStatus | undefined> {
    try {
      return await this.#at(endpointOf(address), callTimeout, async (client, options) => {
        const status = await client.maintenance.status(options);
        return {
          clusterId: status.header.cluster_id,
          version: status.version,
          leader: status.header.member_id === status.leader,
          learner: status.isLearner,
          size: Number(status.dbSize),
          used: Number(status.dbSizeInUse),
          index: Number(status.raftAppliedIndex),
          problems: status.errors,
        };
      });
    } catch {
      return undefined;
    }
  }

  /** The value of one of weavets' keys. @throws WeaveError STORE_UNAVAILABLE */
  async get(key: string): Promise<string | undefined> {
    const request = { key: Buffer.from(`/weavets/${key}`) };
    const { kvs } = await this.#any((client, options) => client.kv.range(request, options));
    return kvs[0]?.value.toString();
  }

  /** Writes one of weavets' keys. @throws WeaveError STORE_UNAVAILABLE */
  async put({ key, value }: Pick<Write, 'key' | 'value'>): Promise<void> {
    const text = { key: Buffer.from(`/weavets/${key}`), value: Buffer.from(value ?? '') };
    await this.#any((client, options) => client.kv.put(text, options));
  }

  /** Adds a host, without a vote. Its member must be started afterwards. @throws WeaveError ETCD_FAILED */
  addLearner(address: string): Promise<void> {
    return this.#change(async (client, options) => {
      await client.cluster.memberAdd({ peerURLs: [peerUrl(address)], isLearner: true }, options);
    });
  }

  /** Gives a vote to a learner that has caught up. @throws WeaveError ETCD_FAILED: it has not yet, for one */
  promote(id: string): Promise<void> {
    return this.#change(async (client, options) => {
      await client.cluster.memberPromote({ ID: id }, options);
    });
  }

  /** @throws WeaveError ETCD_FAILED */
  remove(id: string): Promise<void> {
    return this.#change(async (client, options) => {
      await client.cluster.memberRemove({ ID: id }, options);
    });
  }

  /** The member has another address now. @throws WeaveError ETCD_FAILED */
  move(id: string, address: string): Promise<void> {
    return this.#change(async (client, options) => {
      await client.cluster.memberUpdate({ ID: id, peerURLs: [peerUrl(address)] }, options);
    });
  }

  /** Frees the space that deletions left in a member's file; it answers nobody meanwhile. */
  async defragment(address: string): Promise<void> {
    await this.#at(endpointOf(address), longTimeout, (client, options) =>
      client.maintenance.defragment(options),
    );
  }

  /** Lets a member that ran out of space take writes again. */
  async disarm(): Promise<void> {
    await this.#any((client, options) =>
      client.maintenance.alarm({ action: 'Deactivate', alarm: 'Nospace', memberID: 0 }, options),
    );
  }

  /** Writes everything in etcd to a file, as `etcdctl snapshot save` does. @throws WeaveError STORE_UNAVAILABLE */
  async snapshot(file: string): Promise<void> {
    await this.#any(async (client) => {
      const stream = await client.maintenance.snapshot({ deadline: Date.now() + longTimeout });
      const target = createWriteStream(`${file}.new`, { mode: 0o600, flush: true });
      try {
        await pipeline(Readable.from(blobsOf(stream as unknown as Readable)), target);
        await rename(`${file}.new`, file);
      } catch (error) {
        await rm(`${file}.new`, { force: true });
        throw error;
      }
    }, longTimeout);
  }

  /** From now on etcd authenticates callers: hosts get weavets' keys, and nothing else. Can be repeated. */
  async enableUsers(): Promise<void> {
    await this.#any(async ({ auth }, options) => {
      const { admin } = commonNames;
      const { start, end } = library().Range.prefix('/weavets/');
      for (const name of [admin, role]) await auth.roleAdd({ name }, options).catch(there);
      const perm = { permType: 'Readwrite' as const, key: start, range_end: end };
      await auth.roleGrantPermission({ name: role, perm }, options);
      await addUser(auth, { name: admin, role: admin }, options);
      await auth.authEnable(options);
    });
  }

  /** etcd serves this host from now on. Can be repeated. @throws WeaveError STORE_UNAVAILABLE */
  async admit(host: string): Promise<void> {
    await this.#any(({ auth }, options) => addUser(auth, { name: userOf(host), role }, options));
  }

  /** etcd refuses this host's certificates from now on. Can be repeated. @throws WeaveError STORE_UNAVAILABLE */
  async expel(host: string): Promise<void> {
    await this.#any(async ({ auth }, options) => {
      await auth.userDelete({ name: userOf(host) }, options).catch((error: unknown) => {
        if (!(error instanceof library().EtcdUserNotFoundError)) throw error;
      });
    });
  }

  async #change(change: (client: Client, options: CallOptions) => Promise<void>): Promise<void> {
    try {
      await this.#any(change);
    } catch (cause) {
      throw new WeaveError('ETCD_FAILED', `etcd refused to change its members: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /** Asks one member after the other: one may be away, or cut off. */
  async #any<T>(
    call: (client: Client, options: CallOptions) => Promise<T>,
    ms: number = callTimeout,
  ): Promise<T> {
    let last: unknown;
    for (const endpoint of this.#endpoints) {
      try {
        return await this.#at(endpoint, ms, call);
      } catch (error) {
        last = error;
      }
    }
    throw new WeaveError('STORE_UNAVAILABLE', `etcd does not serve: ${messageOf(last)}`, { cause: last });
  }

  async #at<T>(
    endpoint: string,
    ms: number,
    call: (client: Client, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const session = new EtcdSession(`https://${endpoint}`, { tls: this.#tls });
    try {
      return await session.call(call, ms);
    } finally {
      session.end(new Error('the call is over'));
    }
  }
}

/** One that is known by certificate only. */
async function addUser(
  auth: Client['auth'],
  { name, role }: { name: string; role: string },
  options: CallOptions,
): Promise<void> {
  await auth.userAdd({ name, options: { no_password: true } }, options).catch(there);
  await auth.userGrantRole({ user: name, role }, options);
}

function there(error: unknown): void {
  const { EtcdUserExistsError, EtcdRoleExistsError } = library();
  if (!(error instanceof EtcdUserExistsError || error instanceof EtcdRoleExistsError)) throw error;
}

/** `address:port` at which a host's member serves. */
export const endpointOf = (address: string) => `${address}:${memberClientPort}`;

async function* blobsOf(stream: AsyncIterable<{ blob: Buffer }>): AsyncGenerator<Buffer> {
  for await (const { blob } of stream) yield blob;
}
