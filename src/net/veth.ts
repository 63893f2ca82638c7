import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { runOk } from '../lib/exec.ts';
import type { Cidr } from '../model/address.ts';
import type { Mac } from '../model/mac.ts';
import { bridgeName } from './bridge.ts';
import type { DnsRoute } from './dns-link.ts';
import { batchText, type IpBatch } from './ip.ts';
import type { NetnsWorker } from './netns-worker.ts';
import { linkExists, linkFile, linkNames } from './sysfs.ts';

/** Name of the interface inside a container. */
export const containerLink = 'ethwe';
/** Higher than the engine's interfaces, so that `ip a` lists ethwe after eth0. */
const containerIndex = 65_536;
const hostPrefix = 'vethwepl';

/** Name of a container's link on the host. */
export function hostLink(pid: number): string {
  return `${hostPrefix}${pid}`;
}

/**
 * The MAC of a container's ethwe: locally administered, made from the container's id, so that it is the same after
 * each restart and known before the link is there.
 */
export function macOf(containerId: string): Mac {
  const bytes = createHash('sha256').update(containerId).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac;
}

/** A process in the container's network namespace, held so that its pid can't be reused meanwhile. */
export interface NetnsProcess {
  readonly pid: number;
  readonly alive: boolean;
  /** @returns a descriptor, the caller's to close */
  openNetns(): number;
}

/** What a container is given. */
export interface VethSpec {
  process: NetnsProcess;
  /** 64 hex digits; the link on the host carries it as its alias */
  containerId: string;
  /** of ethwe */
  mac: string;
  cidrs: readonly Cidr[];
  /** route 224.0.0.0/4 through ethwe, and accept it only from the container's own subnets */
  multicast: boolean;
  /** the route to our name server, if there is no other */
  dnsRoute?: DnsRoute | undefined;
}

/** A link that is complete but for its addresses and routes. */
export interface PreparedVeth {
  /** Gives it these once frames pass. @throws WeaveError TOOL_FAILED */
  finish(): Promise<void>;
}

/** Containers' links: `vethwepl<pid>` on the bridge, and its peer `ethwe` in the container's network namespace. */
export class Veths {
  readonly #ip: IpBatch;
  readonly #worker: NetnsWorker;
  readonly #mtu: number;
  #index = containerIndex;

  constructor({ ip, worker, mtu }: { ip: IpBatch; worker: NetnsWorker; mtu: number }) {
    this.#ip = ip;
    this.#worker = worker;
    this.#mtu = mtu;
  }

  /**
   * Makes a container's link, its settings and rules, and sets ethwe up, so that the port opens meanwhile; it has no
   * addresses yet. Completes one that is half made.
   * @throws WeaveError TOOL_FAILED
   */
  async prepare(spec: VethSpec): Promise<PreparedVeth> {
    const host = hostLink(spec.process.pid);
    const isNew = !linkExists(host);
    // The rules need no link; they are made meanwhile.
    const rules = spec.multicast ? this.#allowMulticast(spec, isNew) : undefined;
    rules?.catch(() => {}); // met below
    if (isNew) await this.#make(spec);
    else await this.#ip.runOk(portLines(spec), quietLine(host));
    await this.#worker.run(spec.process, firstLines);
    await rules;
    return {
      finish: async () => {
        await portOpens(host);
        await this.#worker.run(spec.process, lastLines(spec));
      },
    };
  }

  /** Removes addresses from a container's ethwe, those that it still has; the link stays. */
  async removeAddresses(container: NetnsProcess, cidrs: readonly Cidr[]): Promise<void> {
    const lines = cidrs.map((cidr) => `addr del ${cidr} dev ${containerLink}`);
    try {
      await inNetns(container, ['ip', '-force', '-batch', '-'], lines);
    } catch (error) {
      const count = (pattern: RegExp) => messageOf(error).match(pattern)?.length ?? 0;
      const gone = count(/Address not found|Cannot assign requested address/g);
      if (gone === 0 || gone < count(/Command failed/g)) throw error;
    }
  }

  /** Removes a container's ethwe, if it exists. */
  async remove(pid: number): Promise<void> {
    if (linkExists(hostLink(pid))) await this.#ip.run([`link del ${hostLink(pid)}`]);
  }

  /** Removes a container's multicast rules, which would outlive its link. */
  async removeRules(container: NetnsProcess): Promise<void> {
    const lines = ['*filter', `-D ${jump}`, `-F ${chain}`, `-X ${chain}`, 'COMMIT'];
    await inNetns(container, ['iptables-restore', '--noflush', '--wait'], lines);
  }

  /** Those that are there already are made anew; only the jump to them would be there twice. */
  async #allowMulticast(spec: VethSpec, isNew: boolean): Promise<void> {
    await this.#worker.run(spec.process, ['restore', ...multicastRules(spec, isNew)]);
    if (isNew) return;
    const iptables = (verb: string) =>
      inNetns(spec.process, ['iptables', '--wait', verb, ...jump.split(' ')]);
    await iptables('-C').catch(() => iptables('-A'));
  }

  /**
   * Makes both ends, and a port of the bridge of ours. The peer is made in its namespace at once: moving it there would
   * take the kernel 16 ms. It gets the index that it asks for only if this end asks for one as well.
   */
  async #make(spec: VethSpec): Promise<void> {
    const { process, mac } = spec;
    const host = hostLink(process.pid);
    const peer = `address ${mac} mtu ${this.#mtu} netns ${process.pid}`;
    const make = (index: string, peerIndex: string) =>
      `link add ${host} ${index} mtu ${this.#mtu} type veth peer name ${containerLink} ${peerIndex} ${peer}`;
    const [port, quiet] = [portLines(spec), quietLine(host)];
    for (let attempt = 1; ; attempt++) {
      const line = make(`index ${this.#nextIndex()}`, `index ${containerIndex}`);
      const failures = await this.#ip.run([line, ...port]);
      const failed = failures.map((failure) => failure.line).filter((each) => each !== quiet);
      if (failed.length === 0) break;
      // If the indices are taken, on the host or in the container, the kernel chooses.
      if (attempt === 3 || !failed.includes(line)) {
        await this.#ip.runOk(failed.includes(line) ? [make('', ''), ...port] : port, quiet);
        break;
      }
    }
    // Alive after it: then the pid was this process's when the peer went there.
    if (process.alive) return;
    await this.#ip.run([`link del ${host}`]);
    throw new WeaveError('TOOL_FAILED', `process ${process.pid} has ended`);
  }

  #nextIndex(): number {
    if (this.#index === containerIndex) {
      this.#index = Math.max(containerIndex, ...linkNames().map((name) => Number(linkFile(name, 'ifindex'))));
    }
    return ++this.#index;
  }
}

/** Pids in the names of containers' links on this host, whoever made them. */
export function vethPids(): number[] {
  return linkNames()
    .filter((name) => name.startsWith(hostPrefix))
    .map((name) => Number(name.slice(hostPrefix.length)));
}

/** Id of the link's container; empty if not written yet. */
export function vethOwner(pid: number): string {
  return linkFile(hostLink(pid), 'ifalias');
}

/**
 * Bridge ports make themselves no IPv6 address: each new one would send some ten multicast frames to all others.
 * The line fails where the kernel has no IPv6, or the MTU is too small for it: then there is nothing to set.
 */
export const quietLine = (host: string) => `link set ${host} addrgenmode none`;

/** Makes a container's link a port of the bridge. The first line may fail. */
function portLines({ process, containerId }: VethSpec): string[] {
  const host = hostLink(process.pid);
  return [
    quietLine(host),
    `link set ${host} alias ${containerId} master ${bridgeName}`,
    // Hairpin: a container may reach itself by an address that is translated back on the bridge.
    `link set ${host} type bridge_slave hairpin on`,
    // At last: at each change of a link that is up, the kernel looks through the IPv6 routes of all.
    `link set ${host} up`,
  ];
}

const chain = 'WEAVE-MULTICAST';
const jump = `INPUT -d 224.0.0.0/4 -i ${containerLink} -j ${chain}`;

/** Multicast on ethwe is accepted only from the container's own subnets. */
function multicastRules({ cidrs }: VethSpec, isNew: boolean): string[] {
  return [
    '*filter',
    `:${chain} - [0:0]`,
    ...(isNew ? [`-A ${jump}`] : []),
    ...cidrs.map((cidr) => `-A ${chain} -s ${cidr.subnet} -j RETURN`),
    `-A ${chain} -j DROP`,
    'COMMIT',
  ];
}

/** Its settings, and up: the bridge's port opens meanwhile. */
const firstLines = [
  'conf ethwe arp_notify 1 promote_secondaries 1',
  'probes ethwe ucast_probes 1 base_reachable_ms 5000 delay_probe_ms 2000',
  // Only the namespace's own /proc/sys can set this one.
  'sysctl ipv6/conf/ethwe/accept_ra 0',
  'quiet ethwe',
  'up ethwe',
];

/** What is done once frames pass. The shim waits for the addresses, and for the route where there is one. */
function lastLines({ cidrs, mac, multicast, dnsRoute }: VethSpec): string[] {
  return [
    ...cidrs.map((cidr) => `addr ${containerLink} ${cidr}`),
    // A container that may do so can have given itself another, which is not what is announced.
    `mac ${containerLink} ${mac}`,
    // Others may have known another container by them.
    ...cidrs.map(({ address }) => `announce ${bridgeName} ${mac} ${address}`),
    ...(dnsRoute
      ? [
          `neigh ${containerLink} ${dnsRoute.address} ${dnsRoute.mac}`,
          `route ${containerLink} ${dnsRoute.address}/32`,
        ]
      : []),
    ...(multicast ? [`route ${containerLink} 224.0.0.0/4`] : []),
  ];
}

/** Runs a tool in a network namespace, with lines for its standard input. @throws WeaveError TOOL_FAILED */
export async function inNetns(
  holder: Pick<NetnsProcess, 'openNetns'>,
  argv: readonly string[],
  lines: readonly string[] = [],
): Promise<void> {
  const netns = holder.openNetns();
  try {
    const enter = ['nsenter', `--net=/proc/${process.pid}/fd/${netns}`, '--'] as const;
    await runOk([...enter, ...argv], { input: batchText(lines) });
  } finally {
    closeSync(netns);
  }
}

/**
 * The kernel tells the bridge of a port's carrier a moment after ethwe is up, and the port drops all frames until then.
 * Resolves when it has, when the link has gone, or after a second.
 */
async function portOpens(host: string): Promise<void> {
  for (const end = performance.now() + 1000; performance.now() < end; await delay(1)) {
    const state = linkFile(host, 'operstate');
    if (state === 'up' || state === '') return;
  }
}
