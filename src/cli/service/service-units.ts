import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/package-root.ts';
import { paths } from '../../model/paths.ts';
import { daemonFlags } from '../process/node-flags.ts';
import { environmentFile } from './installed.ts';

const socketPath = paths.proxy.replace('unix:///var/run/', '/run/');

/** The proxy's socket, held by systemd: it exists before the daemon, and while that restarts. */
export const socketUnit = `[Unit]
Description=Docker API proxy of weavets

[Socket]
ListenStream=${socketPath}
SocketMode=0660
SocketGroup=docker
DirectoryMode=0755
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;

/**
 * The daemon. Its capabilities are those of docker-compose.yml, which tells what each is for.
 * @param node path of Node.js; default: the one that runs this
 * @param program path of `weavets`; default: this one
 */
export function serviceUnit(
  node = realpathSync(process.execPath),
  program = join(packageRoot, 'bin/weavets'),
): string {
  return `[Unit]
Description=weavets: an address and a name for every container
Wants=network-online.target docker.service
After=network-online.target docker.service
Requires=weavets.socket

[Service]
Type=notify
# Node can't send to systemd's socket; systemd-notify does it.
NotifyAccess=all
EnvironmentFile=-${environmentFile}
ExecStart=${[node, ...daemonFlags, program].map(quote).join(' ')} launch --foreground -H fd:// $WEAVETS_FLAGS
Restart=on-failure
RestartSec=2
TimeoutStartSec=120
# Without WireGuard in the kernel, wireguard-go must keep carrying containers' traffic.
KillMode=process
OOMScoreAdjust=-500
LimitNOFILE=1048576
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_CHOWN
NoNewPrivileges=yes
# Not strict, and homes stay open: the engine's folder, with containers' hosts files, may be anywhere.
ProtectSystem=full
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
PrivateTmp=yes
PrivateMounts=yes
# For wireguard-go.
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
# It enters containers' network namespaces, and no others.
RestrictNamespaces=net
SystemCallArchitectures=native
SystemCallFilter=@system-service @pkey
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
Also=weavets.socket
`;
}

/** A word as systemd reads it. */
function quote(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(plain)
    ? plain
    : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
