import { rm } from 'node:fs/promises';
import type { LaunchConfig } from '../config/config.ts';
import { clusterIdOf } from '../etcd/authority.ts';
import { type ClusterFile, readClusterFile, writeClusterFile } from '../etcd/cluster-file.ts';
import { ensureCertificates, etcdFiles, writeAuthority } from '../etcd/files.ts';
import type { Welcome } from '../etcd/join/messages.ts';
import { EtcdMember } from '../etcd/member-process.ts';
import { readNetworkFile, writeNetworkFile } from '../etcd/network-file.ts';
import { WeaveError } from '../lib/errors.ts';

/** Who a host of a cluster is. */
export interface Self {
  /** among peers */
  name: string;
  /** towards the other hosts */
  address: string;
}

/** The config with the cluster that this host is part of, as it keeps that; undefined: it is in none of weavets' own. */
export async function asKept(folder: string, config: LaunchConfig): Promise<LaunchConfig | undefined> {
  const file = await readClusterFile(folder);
  const network = await readNetworkFile(folder);
  if (file === undefined) return undefined;
  if (network === undefined) {
    throw new WeaveError(
      'STATE_CORRUPT',
      `${folder} lacks network.json, which has the cluster's range, domain and password; put it back, or 'weavets reset' and join again`,
    );
  }
  const range = config.ipallocRangeGiven ? config.ipallocRange : network.range;
  return {
    ...config,
    ...accessOf(folder, file),
    ipallocRange: range,
    defaultIpalloc: config.defaultIpalloc && range !== null,
    dnsDomain: config.dnsDomainGiven ? config.dnsDomain : network.domain,
    password: config.password ?? network.password,
    open: config.open || network.open,
  };
}

/** How this host reaches the etcd that weavets runs. */
export function accessOf(folder: string, { endpoints }: ClusterFile): Pick<LaunchConfig, 'store' | 'etcd'> {
  const { ca, client } = etcdFiles(folder);
  return {
    store: `etcds://${endpoints.join(',')}`,
    etcd: { ca: ca.cert, cert: client.cert, key: client.key },
  };
}

/** True for a store that {@link accessOf} made. */
export const isManaged = (folder: string, { etcd }: Pick<LaunchConfig, 'etcd'>) =>
  etcd?.ca === etcdFiles(folder).ca.cert;

/** Keeps what this host was let into; the last file that is written makes it part of the cluster. */
export async function keepWelcome(
  folder: string,
  { welcome, config, self }: { welcome: Welcome; config: LaunchConfig; self: Self },
): Promise<void> {
  const { authority, endpoints, range, domain, password } = welcome;
  // Left over from one that was begun, and that this host was never part of.
  await dropKept(folder);
  await writeAuthority(folder, authority);
  await ensureCertificates(folder, { ca: authority, name: self.name, addresses: [self.address] });
  const noAddresses = config.ipallocRangeGiven && config.ipallocRange === null;
  await writeNetworkFile(folder, {
    range: noAddresses ? null : (range ?? config.ipallocRange),
    domain,
    password,
    open: config.open,
  });
  await writeClusterFile(folder, { id: clusterIdOf(authority.cert), endpoints });
}

/** Keeps what the hosts of a cluster share that this host is to found; its etcd's own part does the rest. */
export const keepNetwork = (folder: string, config: LaunchConfig, from?: string) =>
  writeNetworkFile(folder, {
    from,
    range: config.ipallocRange,
    domain: config.dnsDomain,
    password: config.password,
    open: config.open,
  });

/** This host is in no cluster of weavets' own any more. */
export async function dropKept(folder: string): Promise<void> {
  await (await EtcdMember.find(folder))?.stop();
  await rm(folder, { recursive: true, force: true });
}
