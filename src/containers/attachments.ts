import { readlinkSync } from 'node:fs';
import type { ContainerInfo } from '../docker/types.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Cidr } from '../model/address.ts';
import type { IpBatch } from '../net/ip.ts';
import {
  attachVeth,
  detachVeth,
  hostLink,
  linkExists,
  listVeths,
  macOf,
  removeAddresses,
} from '../net/veth.ts';
import { setHostname } from './hostname.ts';
import { writeHostsFile } from './hosts-file.ts';
import type { Naming } from './naming.ts';

/** A container that is on the network. */
export interface Attachment {
  info: ContainerInfo;
  mac: string;
  cidrs: readonly Cidr[];
  choice: AttachChoice;
}

/** How one attachment may differ from the daemon's switches, as `attach` on the command line allows. */
export interface AttachChoice {
  multicastRoute: boolean;
  rewriteHosts: boolean;
  /** further hosts entries, `name:ip` */
  addHosts: readonly string[];
  /** false: the container's hostname names none of its addresses */
  dns: boolean;
}

/** The attached containers, and the deeds that attach and detach one: link, addresses, hosts file, name. */
export class Attachments {
  readonly #ip: IpBatch;
  readonly #naming: Naming;
  readonly #mtu: number;
  readonly #logger: Logger;
  readonly #onAttached: (seconds: number) => void;
  readonly #attached = new Map<string, Attachment>();

  constructor(fields: {
    ip: IpBatch;
    naming: Naming;
    mtu: number;
    /** told how long each took */
    onAttached: (seconds: number) => void;
    logger: Logger;
  }) {
    this.#ip = fields.ip;
    this.#naming = fields.naming;
    this.#mtu = fields.mtu;
    this.#logger = fields.logger;
    this.#onAttached = fields.onAttached;
  }

  get(id: string): Attachment | undefined {
    return this.#attached.get(id);
  }

  list(): Attachment[] {
    return [...this.#attached.values()];
  }

  /**
   * Attaches a running container. Name and hosts file come first: the shim goes on as soon as ethwe is up.
   * A container that ended meanwhile is no failure.
   * @throws WeaveError ATTACH_FAILED, and then nothing of it is left
   */
  async attach(info: ContainerInfo, cidrs: readonly Cidr[], choice: AttachChoice): Promise<void> {
    const { id, pid, name } = info;
    const began = performance.now();
    try {
      const mac = macOf(id);
      this.#attached.set(id, { info, mac, cidrs, choice });
      // Tells the other hosts of name and link in one message, while the link is being made.
      await this.#naming.set(info, cidrs, choice.dns);
      await this.#showName({ info, cidrs, choice });
      await attachVeth(this.#ip, { pid, mac, cidrs, mtu: this.#mtu, multicast: choice.multicastRoute });
      const ms = performance.now() - began;
      this.#onAttached(ms / 1000);
      this.#logger.info({ container: id.slice(0, 12), name, cidrs, ms: Math.round(ms) }, 'attached');
    } catch (error) {
      this.#attached.delete(id);
      await this.#naming.clear(id);
      // A command that ends at once takes its namespace along.
      if (!hasNetns(pid)) return;
      await detachVeth(this.#ip, pid);
      const text = `cannot attach container ${name || id.slice(0, 12)} to the network: ${messageOf(error)}`;
      throw new WeaveError('ATTACH_FAILED', text, { cause: error });
    }
  }

  /** Takes some addresses from an attached container; with the last one, ethwe and the name. */
  async reduce(attachment: Attachment, leaving: readonly Cidr[]): Promise<void> {
    const { info, cidrs } = attachment;
    const staying = cidrs.filter((cidr) => !leaving.includes(cidr));
    if (staying.length === 0) {
      await detachVeth(this.#ip, info.pid);
      await this.ended(info.id);
      return;
    }
    await removeAddresses(info.pid, leaving);
    this.#attached.set(info.id, { ...attachment, cidrs: staying });
    await this.#naming.set(info, staying, attachment.choice.dns);
  }

  /** The container may be called otherwise by now: its names, its hosts file and its hostname follow. */
  async renamed(info: ContainerInfo): Promise<void> {
    const attachment = this.#attached.get(info.id);
    if (attachment === undefined || attachment.info.name === info.name) return;
    const { cidrs, choice } = attachment;
    this.#attached.set(info.id, { ...attachment, info });
    await this.#naming.set(info, cidrs, choice.dns);
    await this.#showName({ info, cidrs, choice });
  }

  /** What the container's own processes see of its name. */
  async #showName({ info, cidrs, choice }: Pick<Attachment, 'info' | 'cidrs' | 'choice'>): Promise<void> {
    const { pid, hostsPath } = info;
    const { renamed } = this.#naming.called(info);
    const hostname = renamed ?? info.hostname;
    if (renamed !== undefined) await setHostname(pid, renamed);
    if (!choice.rewriteHosts || info.ownHosts) return;
    const extraHosts = [...info.extraHosts, ...choice.addHosts];
    await writeHostsFile({ pid, hostname, cidrs, extraHosts, hostsPath });
  }

  /** The container does not run any more, or is to be left alone. */
  async ended(id: string): Promise<void> {
    const attachment = this.#attached.get(id);
    this.#attached.delete(id);
    await this.#naming.clear(id);
    if (attachment === undefined) return;
    const { pid, name } = attachment.info;
    this.#logger.info({ container: id.slice(0, 12), name }, 'detached');
    // The link goes with the namespace, by itself and for free, unless another container still uses that.
    if (linkExists(hostLink(pid)) && !hasNetns(pid)) await detachVeth(this.#ip, pid);
  }

  /** Takes away links of containers that ended while something else kept their network namespace. */
  async sweep(): Promise<void> {
    const alive = new Set(this.list().map(({ info }) => info.pid));
    for (const pid of await listVeths()) {
      if (!alive.has(pid) && !hasNetns(pid)) await detachVeth(this.#ip, pid);
    }
  }
}

/** True while the process has a network namespace, which it loses as it ends. */
function hasNetns(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/ns/net`);
    return true;
  } catch {
    return false;
  }
}
