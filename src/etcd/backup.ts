import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { hasCode, WeaveError } from '../lib/errors.ts';
import { runOk } from '../lib/exec.ts';
import { type CertificateAndKey, clusterIdOf } from './authority.ts';
import { type ClusterFile, readClusterFile, writeClusterFile } from './cluster-file.ts';
import { membersWrite } from './coordinator.ts';
import { begun, type CreateOptions } from './create.ts';
import { ensureCertificates, etcdFiles, readAuthority } from './files.ts';
import { EtcdMember, peerUrl, putDataAside } from './member-process.ts';
import { endpointOf, Members } from './members.ts';

/** Writes everything in the cluster's etcd to a file. @throws WeaveError USAGE, STORE_UNAVAILABLE */
export async function backUp(folder: string, file: string): Promise<void> {
  const [ca, cluster] = [await readAuthority(folder), await readClusterFile(folder)];
  if (ca === undefined || cluster === undefined) throw notManaged();
  await new Members({ endpoints: cluster.endpoints, ca }).snapshot(file);
}

/**
 * Begins the cluster's etcd anew on this host, with what a file has; nothing of it may run elsewhere. What this host
 * had is put aside. The others go to this host when they are told so, and become members again.
 * @param file of {@link backUp}, one of a host's snapshots, or `member/snap/db` of a member's data
 * @throws WeaveError USAGE, TOOL_MISSING, TOOL_FAILED, ETCD_FAILED
 */
export async function restore(file: string, options: CreateOptions): Promise<ClusterFile> {
  const { folder, name, address, addresses = [address] } = options;
  const ca = await readAuthority(folder);
  if (ca === undefined) throw notManaged();
  if (!existsSync(file)) throw new WeaveError('USAGE', `there is no file ${file}`);
  await refuseWhileServed(folder, address, ca);
  const { data } = etcdFiles(folder);
  const id = clusterIdOf(ca.cert);
  // etcd derives its ids from it: former members must not be taken for current ones.
  const token = `${id}-${randomBytes(4).toString('hex')}`;
  const made = `${data}.restored`;
  await rm(made, { recursive: true, force: true });
  await snapshotRestore([
    file,
    ...['--name', name, '--data-dir', made, '--initial-cluster', `${name}=${peerUrl(address)}`],
    ...['--initial-advertise-peer-urls', peerUrl(address), '--initial-cluster-token', token],
    // A member's own file doesn't end with a checksum.
    ...(file.endsWith('/member/snap/db') ? ['--skip-hash-check'] : []),
  ]);
  await (await EtcdMember.find(folder))?.stop();
  await putDataAside(folder);
  await rename(made, data);
  await ensureCertificates(folder, { ca, name, addresses });
  const begin = { cluster: { [name]: address }, state: 'existing' as const, token };
  await EtcdMember.start({ folder, name, address, begin });
  const endpoints = [endpointOf(address)];
  const members = new Members({ endpoints, ca });
  await begun({ folder, address, members });
  // What the file has of them is no more.
  await members.put(membersWrite(await members.list()));
  await members.admit(name);
  const cluster = { id, endpoints };
  await writeClusterFile(folder, cluster);
  return cluster;
}

/** Two clusters with one name would give the same addresses to different containers. @throws WeaveError USAGE */
async function refuseWhileServed(folder: string, address: string, ca: CertificateAndKey): Promise<void> {
  const cluster = await readClusterFile(folder);
  const members = cluster && new Members({ endpoints: cluster.endpoints, ca });
  const { members: list } = (await members?.list().catch(() => undefined)) ?? { members: [] };
  const others = list.filter((member) => member.address !== address).map((member) => member.address);
  if (others.length === 0) return;
  throw new WeaveError(
    'USAGE',
    `the cluster's etcd serves, with ${others.join(', ')}; a restore would make a second one: 'weavets cluster leave' there first, and let them join again after it`,
  );
}

/** By etcdutl if installed: newer etcdctl no longer does it. */
async function snapshotRestore(args: readonly string[]): Promise<void> {
  const options = { env: { PATH: process.env.PATH, ETCDCTL_API: '3' }, deadline: null };
  try {
    await runOk(['etcdutl', 'snapshot', 'restore', ...args], options);
  } catch (error) {
    if (!hasCode(error, 'TOOL_MISSING')) throw error;
    await runOk(['etcdctl', 'snapshot', 'restore', ...args], options);
  }
}

const notManaged = () =>
  new WeaveError(
    'USAGE',
    "this host is in no cluster whose etcd weavets runs; 'weavets cluster init' makes it the first of one",
  );
