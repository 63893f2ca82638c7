/** Debian's package of each program that weavets runs. */
const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nsenter: 'util-linux',
  sh: 'dash',
  sysctl: 'procps',
  iptables: 'iptables',
  'iptables-save': 'iptables',
  'iptables-restore': 'iptables',
  resolvectl: 'systemd-resolved',
  ethtool: 'ethtool',
  'ovs-vsctl': 'openvswitch-switch',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
};

/** Those that every launch needs. */
export const neededTools = [
  'ip',
  'nsenter',
  'sysctl',
  'iptables',
  'iptables-save',
  'iptables-restore',
] as const;

/** How to install a missing program. */
export function howToInstall(tool: string): string {
  return `install it (Debian, Ubuntu: apt-get install ${packages[tool] ?? tool})`;
}
