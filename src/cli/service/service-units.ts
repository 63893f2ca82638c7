import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../lib/package-root.ts';
import { paths } from '../../model/paths.ts';
import { exits } from '../exits.ts';
import { daemonEnvironment, daemonFlags } from '../process/node-flags.ts';
import { environmentFile } from './installed.ts';
import { socketGroup } from './systemd.ts';

const socketPath = paths.proxy.replace('unix:///var/run/', '/run/');

/** What the units run: paths of Node.js and of `weavets`; default: those that run this. */
export interface Program {
  node: string;
  weavets: string;
}

const thisProgram = (): Program => ({
  node: realpathSync(process.execPath),
  weavets: join(packageRoot, 'bin/weavets'),
});

const refusal = 'weavets runs, but not under systemd, which would take its socket away; first: weavets stop';

/** The proxy's socket, held by systemd: it exists before the daemon, and while that restarts. */
export function socketUnit({ node, weavets } = thisProgram()): string {
  const status = [node, weavets, 'status'].map(quote).join(' ');
  return `[Unit]
Description=Docker API proxy of weavets
# It comes and goes with a service that somebody mends, however often that is started.
StartLimitIntervalSec=0

[Socket]
# systemd takes over a path that somebody listens at.
ExecStartPre=/bin/sh -c '"$$0" "$$@" >/dev/null 2>&1 || exit 0; echo "${refusal}"; exit 1' ${status}
ListenStream=${socketPath}
SocketMode=0660
SocketGroup=${socketGroup}
DirectoryMode=0755
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;
}

const forGood = [exits.config, exits.exec];

const notAgain =
  'weavets is not started again, and its socket is closed: mend what the lines above say, then: systemctl start weavets';

/** From this version on systemd can wait longer from one restart to the next. */
const knowsSteps = 254;

/**
 * The daemon. Its capabilities are those of docker-compose.yml, which tells what each is for.
 * @param systemd its version; it warns of settings that it does not know
 */
export function serviceUnit({ node, weavets } = thisProgram(), systemd = 0): string {
  const steps = systemd < knowsSteps ? '' : 'RestartSteps=4\nRestartMaxDelaySec=10\n';
  const environment = Object.entries(daemonEnvironment).map(
    ([name, value]) => `Environment=${name}=${value}`,
  );
  return `[Unit]
Description=weavets: an address and a name for every container
Wants=network-online.target docker.service
After=network-online.target docker.service
Requires=weavets.socket
# What may pass, as an engine that is not up yet, is waited for, however long.
StartLimitIntervalSec=0

[Service]
Type=notify
# Node can't send to systemd's socket; systemd-notify does it.
NotifyAccess=all
${environment.join('\n')}
EnvironmentFile=-${environmentFile}
ExecStart=${[node, ...daemonFlags, weavets].map(quote).join(' ')} launch --foreground -H fd:// $WEAVETS_FLAGS
Restart=on-failure
RestartSec=2
${steps}# What does not pass by itself, as a wrong flag, is not tried again, and clients don't wait for it. The socket is stopped
# alone: with what depends on it the start that has just failed would count as cancelled.
RestartPreventExitStatus=${forGood.join(' ')}
ExecStopPost=/bin/sh -c 'case "$$EXIT_STATUS" in ${forGood.join('|')}) echo "${notAgain}"; exec systemctl --job-mode=ignore-dependencies stop weavets.socket;; esac'
TimeoutStartSec=120
# Without WireGuard in the kernel, wireguard-go must keep carrying containers' traffic.
KillMode=process
OOMScoreAdjust=-500
LimitNOFILE=1048576
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_CHOWN
NoNewPrivileges=yes
# Open are /etc, for 'weavets expose --hosts-file', homes, as the engine's folder, with containers' hosts files, may be
# anywhere, and /tmp, where 'weavets cluster backup' may be told to write to.
ProtectSystem=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
PrivateMounts=yes
# For wireguard-go.
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
# It enters containers' network namespaces, and sets the hostname of those that were renamed.
RestrictNamespaces=net uts
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
