import type { ClusterStatus } from '../control/contract.ts';
import { table } from '../lib/table.ts';

/** What `cluster status` prints: facts about the cluster, and a table of the hosts. */
export function clusterText(status: ClusterStatus): string[] {
  const { id, hosts, encrypted, open, lastBackup, certificatesEnd } = status;
  const facts: [string, string][] = [
    ['Cluster', id ?? 'with your own etcd'],
    ['Range', status.range ?? 'none'],
    ['Domain', status.domain],
    ['Encryption', encrypted ? 'enabled' : 'disabled'],
    ['Joining', open ? 'open to everyone' : 'by token or password'],
  ];
  if (id !== null) {
    facts.push(['LastBackup', lastBackup ?? 'none on this host']);
    facts.push(['Certificates', certificatesEnd === null ? 'none' : `until ${certificatesEnd}`]);
  }
  return [
    ...facts.map(([label, value]) => `${label.padStart(15)}: ${value}`),
    '',
    ...table([['NAME', 'ADDRESS', 'STATUS', 'ETCD', 'SIZE', 'VERSION', 'PEER'], ...hosts.map(hostRow)]),
  ];
}

function hostRow({
  nickname,
  here,
  address,
  up,
  etcd,
  version,
  name,
}: ClusterStatus['hosts'][number]): string[] {
  return [
    here ? `${nickname} *` : nickname,
    address,
    up ? 'ready' : 'down',
    etcd === null ? '-' : etcdText(etcd),
    etcd === null ? '-' : `${(etcd.size / 2 ** 20).toFixed(1)} MB`,
    version,
    name,
  ];
}

function etcdText({ role, answers, behind }: NonNullable<ClusterStatus['hosts'][number]['etcd']>): string {
  if (!answers) return `${role}, unreachable`;
  // A few changes are always under way.
  return behind > 1000 ? `${role}, ${behind} changes behind` : role;
}
