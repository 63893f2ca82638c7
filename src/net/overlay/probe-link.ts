import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { WeaveError } from '../../lib/errors.ts';
import { hung, spawnError, toolDeadline } from '../../lib/exec.ts';
import { heartbeatPort } from '../../model/ports.ts';
import { bridgeName } from '../bridge.ts';
import { IpBatch } from '../ip.ts';
import { isUp, linkExists, linkMaster } from '../sysfs.ts';
import { inNetns, quietLine } from '../veth.ts';
import { type ProbeAddress, probeRange } from './probe-message.ts';

/** The veth's end on the bridge, and the other. */
const port = 'vethwe-probe';
const link = 'weave-probe';

/**
 * Opens the socket in a network namespace of its own, and hands it over: what Node itself has no call for. There it
 * answers nothing else: no ARP, no ping.
 */
const script = `
const { writeFileSync } = require('node:fs');
const settings = {
  'ipv4/conf/all/arp_ignore': 8,
  'ipv4/icmp_echo_ignore_all': 1,
  'ipv6/conf/all/disable_ipv6': 1,
  'ipv6/conf/default/disable_ipv6': 1,
};
for (const [name, value] of Object.entries(settings)) {
  try {
    writeFileSync('/proc/sys/net/' + name, String(value));
  } catch {}
}
const socket = require('node:dgram').createSocket('udp4');
socket.bind(${heartbeatPort}, () => process.send('bound', socket));
process.on('disconnect', () => process.exit());
`;

/** How to make a {@link ProbeLink}. */
export interface ProbeLinkOptions {
  address: ProbeAddress;
  mtu: number;
}

/**
 * A made-up container: a port of the bridge, and behind it a network namespace with nothing but one UDP socket. What
 * it sends and gets goes the way of containers' frames, and the host's own addresses, routes and input rules have no
 * part in it. The namespace lives by the socket: when this process ends, however it does, all of it goes.
 */
export class ProbeLink {
  readonly socket: Socket;
  /** descriptor of the network namespace */
  readonly #netns: number;
  /** IP to MAC */
  #neighbours: ReadonlyMap<string, string> = new Map();

  private constructor(socket: Socket, netns: number) {
    this.socket = socket;
    this.#netns = netns;
    socket.on('error', () => {});
    socket.unref();
  }

  /** The bridge must be there. @throws WeaveError TOOL_FAILED */
  static async make(options: ProbeLinkOptions): Promise<ProbeLink> {
    const child = spawn('unshare', ['--net', process.execPath, '-e', script], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { PATH: process.env.PATH },
    });
    try {
      const socket = await socketOf(child);
      const made = new ProbeLink(socket, openSync(`/proc/${child.pid}/ns/net`, 'r'));
      try {
        await made.#ensure(child.pid as number, options);
        return made;
      } catch (error) {
        await made.close();
        throw error;
      }
    } finally {
      child.kill('SIGKILL');
    }
  }

  /** False when somebody took it away, or from the bridge. */
  get isThere(): boolean {
    return isUp(port) && linkMaster(port) === bridgeName;
  }

  /** Sets where the other hosts' probes are, IP to MAC: nobody is asked by ARP. */
  async setNeighbours(wanted: ReadonlyMap<string, string>): Promise<void> {
    const before = this.#neighbours;
    const gone = [...before.keys()].filter((ip) => !wanted.has(ip));
    const fresh = [...wanted].filter(([ip, mac]) => before.get(ip) !== mac);
    await this.#run([
      ...gone.map((ip) => `neigh del ${ip} dev ${link}`),
      ...fresh.map(([ip, mac]) => `neigh replace ${ip} lladdr ${mac} dev ${link} nud permanent`),
    ]);
    this.#neighbours = wanted;
  }

  async close(): Promise<void> {
    this.socket.close();
    closeSync(this.#netns);
    await removeProbeLink();
  }

  async #ensure(pid: number, { address: { mac, ip }, mtu }: ProbeLinkOptions): Promise<void> {
    await removeProbeLink();
    const [batch, bridge] = [new IpBatch(), new IpBatch('bridge')];
    try {
      const peer = `peer name ${link} address ${mac} mtu ${mtu} netns ${pid}`;
      await batch.runOk([`link add ${port} mtu ${mtu} type veth ${peer}`]);
      const quiet = quietLine(port);
      const settings = 'learning off flood off mcast_flood off bcast_flood off';
      const lines = [
        `link set ${port} master ${bridgeName} up`,
        `link set ${port} type bridge_slave ${settings}`,
      ];
      await batch.runOk([quiet, ...lines], quiet);
      await bridge.runOk([`fdb replace ${mac} dev ${port} master static`]);
    } finally {
      batch.close();
      bridge.close();
    }
    await this.#run([
      `addr add ${ip}/32 dev ${link}`,
      `link set ${link} up`,
      // Locked: each probe goes as one packet, whatever routers say of sizes, and is as large as it was meant to be.
      `route add ${probeRange} dev ${link} src ${ip} mtu lock ${mtu}`,
    ]);
  }

  async #run(lines: readonly string[]): Promise<void> {
    const openNetns = () => openSync(`/proc/self/fd/${this.#netns}`, 'r');
    if (lines.length > 0) await inNetns({ openNetns }, ['ip', '-force', '-batch', '-'], lines);
  }
}

/** Takes it away, whoever made it. */
export async function removeProbeLink(): Promise<void> {
  if (!linkExists(port)) return;
  const ip = new IpBatch();
  try {
    // It may go by itself meanwhile.
    await ip.run([`link del ${port}`]);
  } finally {
    ip.close();
  }
}

/** The socket that the child hands over. @throws WeaveError */
function socketOf(child: ChildProcess): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const late = setTimeout(
      () => reject(hung('the opening of the probe', child.pid, toolDeadline)),
      toolDeadline,
    );
    child.once('message', (_, socket) => {
      clearTimeout(late);
      if (socket instanceof Socket) resolve(socket);
      else reject(new WeaveError('TOOL_FAILED', 'no socket came out of the network namespace of the probe'));
    });
    child.once('error', (error) => {
      clearTimeout(late);
      reject(spawnError('unshare', error));
    });
    child.once('close', (code, signal) => {
      clearTimeout(late);
      const why = said.trim() || `exit ${code ?? signal}`;
      reject(new WeaveError('TOOL_FAILED', `no network namespace for the probe: ${why}`));
    });
  });
}
