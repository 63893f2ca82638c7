import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LaunchConfig } from '../config/config.ts';
import type { ClusterStatus } from '../control/contract.ts';
import { clusterIdOf } from '../etcd/authority.ts';
import { readClusterFile } from '../etcd/cluster-file.ts';
import { etcdFiles, readAuthority } from '../etcd/files.ts';
import { type Member, type MemberStatus, Members } from '../etcd/members.ts';
import { aliveRecord } from '../store/records/alive.ts';
import { hostRecord } from '../store/records/host.ts';
import type { Store } from '../store/store.ts';
import type { EtcdMembers } from './members.ts';
import { findSettings } from './settings.ts';

/** What a {@link ClusterStatus} is made from. */
export interface ClusterStatusDeps {
  folder: string;
  /** name of this host */
  self: string;
  config: LaunchConfig;
  shared: Store;
  members: Pick<EtcdMembers, 'list'>;
}

type Etcd = ClusterStatus['hosts'][number]['etcd'];

/** Hosts, members, and their state. @throws WeaveError STORE_UNAVAILABLE when etcd does not answer */
export async function readClusterStatus(deps: ClusterStatusDeps): Promise<ClusterStatus> {
  const { folder, self, config, shared, members } = deps;
  const authority = await readAuthority(folder);
  const file = await readClusterFile(folder);
  const managed = authority !== undefined && file !== undefined;
  const etcd = managed
    ? await etcdByAddress(new Members({ endpoints: file.endpoints, ca: authority }))
    : undefined;
  const alive = new Set((await shared.list(aliveRecord.prefix)).map(({ key }) => aliveRecord.parseKey(key)));
  const hosts = (await shared.list(hostRecord.prefix)).flatMap((entry) => {
    const parsed = hostRecord.parse(entry);
    if (typeof parsed === 'string') return [];
    const { key: name, value } = parsed;
    const { nickname, address, version } = value;
    const here = name === self;
    return { name, nickname, address, version, here, up: alive.has(name), etcd: etcd?.get(address) ?? null };
  });
  const settings = await findSettings(shared);
  return {
    id: managed ? clusterIdOf(authority.cert) : null,
    range: settings?.range?.toString() ?? null,
    domain: settings?.domain ?? config.dnsDomain,
    encrypted: config.password !== null,
    open: config.open,
    hosts: hosts.sort((a, b) => (a.nickname < b.nickname ? -1 : 1)),
    members: members.list(),
    lastBackup: managed ? await newestOf(etcdFiles(folder).snapshots) : null,
    certificatesEnd: managed ? await endOf(etcdFiles(folder).client.cert) : null,
  };
}

async function etcdByAddress(members: Members): Promise<Map<string, Etcd>> {
  const { members: list } = await members.list();
  const statuses = await Promise.all(
    list.map(async (member) => [member, await members.status(member.address)] as const),
  );
  const newest = Math.max(...statuses.map(([, status]) => status?.index ?? 0));
  return new Map(statuses.map(([member, status]) => [member.address, etcdOf(member, status, newest)]));
}

function etcdOf({ learner }: Member, status: MemberStatus | undefined, newest: number): Etcd {
  const role = learner ? 'learner' : status?.leader ? 'leader' : 'voter';
  const behind = status === undefined ? 0 : newest - status.index;
  return { role, answers: status !== undefined, size: status?.size ?? 0, behind };
}

async function newestOf(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch(() => []);
  const times = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).mtimeMs));
  return times.length === 0 ? null : new Date(Math.max(...times)).toISOString();
}

async function endOf(certificate: string): Promise<string | null> {
  const pem = await readFile(certificate, 'utf8').catch(() => undefined);
  return pem === undefined ? null : new Date(new X509Certificate(pem).validTo).toISOString();
}
