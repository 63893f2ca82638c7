import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode, WeaveError } from '../lib/errors.ts';
import { type CertificateAndKey, clusterIdOf, createAuthority } from './authority.ts';
import { type ClusterFile, writeClusterFile } from './cluster-file.ts';
import { ensureCertificates, etcdFiles, readAuthority, writeAuthority, writePrivate } from './files.ts';
import { EtcdMember } from './member-process.ts';
import { endpointOf, type MemberList, Members } from './members.ts';

/** The first host of a managed cluster. */
export interface CreateOptions {
  /** of the host's state, see files.ts */
  folder: string;
  name: string;
  /** in the underlay */
  address: string;
  /** all by which the host is reached; default: that one */
  addresses?: readonly string[];
}

/** ms in which a new member must serve; a busy machine takes a few seconds */
const patience = 60_000;

/**
 * Starts a cluster's etcd on its first host. If interrupted, it can be called again, and continues.
 * @throws WeaveError TOOL_MISSING, ETCD_FAILED
 */
export async function createCluster(options: CreateOptions, signal?: AbortSignal): Promise<ClusterFile> {
  const file = await beginCluster(options, signal);
  await writeClusterFile(options.folder, file);
  return file;
}

/** As {@link createCluster}, but the host is no part of it until its file is written. */
export async function beginCluster(options: CreateOptions, signal?: AbortSignal): Promise<ClusterFile> {
  const { folder, name, address, addresses = [address] } = options;
  const ca = (await readAuthority(folder)) ?? (await newAuthority(folder));
  const id = clusterIdOf(ca.cert);
  await ensureCertificates(folder, { ca, name, addresses });
  const begin = { cluster: { [name]: address }, state: 'new' as const, token: id };
  await EtcdMember.start({ folder, name, address, begin }, signal);
  const members = new Members({ endpoints: [endpointOf(address)], ca });
  await begun({ folder, address, members }, signal);
  await members.enableUsers();
  await members.admit(name);
  return { id, endpoints: [endpointOf(address)] };
}

async function newAuthority(folder: string): Promise<CertificateAndKey> {
  const ca = createAuthority(randomBytes(6).toString('hex'));
  await writeAuthority(folder, ca);
  return ca;
}

/** Waits until the first member serves, and records its id. @throws WeaveError ETCD_FAILED */
export async function begun(
  { folder, address, members }: { folder: string; address: string; members: Members },
  signal?: AbortSignal,
): Promise<void> {
  const { members: list } = await serving(members, signal);
  const own = list.find((member) => member.address === address);
  if (own === undefined) {
    throw new WeaveError(
      'ETCD_FAILED',
      `the etcd at ${address} is of a cluster that this host is no part of`,
    );
  }
  await writePrivate(etcdFiles(folder).memberId, own.id);
}

async function serving(members: Members, signal?: AbortSignal): Promise<MemberList> {
  const end = performance.now() + patience;
  for (;;) {
    try {
      return await members.list();
    } catch (error) {
      if (!hasCode(error, 'STORE_UNAVAILABLE') || performance.now() > end) throw error;
      await delay(100, undefined, { signal });
    }
  }
}
