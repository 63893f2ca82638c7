import { isIPv4 } from 'node:net';
import type { ContainerInfo } from '../docker/types.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Cidr } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { isUserNetwork } from '../model/policy.ts';
import type { DnsRoute } from '../net/dns-link.ts';
import { linkExists } from '../net/sysfs.ts';
import { hostLink, macOf, type Veths, vethOwner, vethPids } from '../net/veth.ts';
import { ContainerProcess } from './container-process.ts';
import { rewriteEngineFile } from './engine-file.ts';
import type { History } from './history.ts';
import { setHostname } from './hostname.ts';
import type { HostsFiles } from './hosts-files.ts';
import type { Naming } from './naming.ts';
import { forwardable, pastOurs, throughOurs } from './resolv-conf.ts';

/** A container that is on the network. */
export interface Attachment {
  info: ContainerInfo;
  /** its first process, held while attached */
  process: ContainerProcess;
  mac: string;
  cidrs: readonly Cidr[];
  choice: AttachChoice;
}

/** How one attachment may differ from the daemon's flags, by `attach` on the command line. */
export interface AttachChoice {
  multicastRoute: boolean;
  rewriteHosts: boolean;
  /** further hosts entries, `name:ip` */
  addHosts: readonly string[];
  /** false: the container's hostname names none of its addresses */
  dns: boolean;
}

/** The inputs of an attachment. */
export interface AttachWish {
  cidrs: readonly Cidr[];
  choice: AttachChoice;
  /** resolves when the engine has written the container's files for this start; rejects if it does not start */
  begun?: Promise<unknown> | undefined;
}

/** What {@link Attachments} works with. */
export interface AttachmentsDeps {
  veths: Veths;
  naming: Naming;
  hosts: HostsFiles;
  conditions: Conditions;
  history: Pick<History, 'add'>;
  /** the engine's data folder: `/var/lib/docker` */
  engineRoot: () => Promise<string>;
  /** true for an address of our name server */
  isOurDns: (server: string) => boolean;
  /** the route to our name server for a container with these name servers */
  routeToDns: (servers: readonly string[]) => DnsRoute | undefined;
  /** `weave.local.` */
  domain: string;
  /** called with the time each took */
  onAttached: (seconds: number) => void;
  logger: Logger;
}

/** The attached containers; attaches and detaches them: link, addresses, hosts file, name. */
export class Attachments {
  readonly #deps: AttachmentsDeps;
  readonly #attached = new Map<string, Attachment>();

  constructor(deps: AttachmentsDeps) {
    this.#deps = deps;
  }

  get(id: string): Attachment | undefined {
    return this.#attached.get(id);
  }

  list(): Attachment[] {
    return [...this.#attached.values()];
  }

  /** True while the attached run of the container goes on. */
  holds(id: string): boolean {
    return this.#attached.get(id)?.process.alive ?? false;
  }

  /** Containers with any record. */
  owners(): string[] {
    return [...this.#attached.keys(), ...this.#deps.hosts.owners()];
  }

  /**
   * Attaches a running container, or changes an attached one's addresses. The container's files are ready before the
   * addresses and routes of ethwe, which the shim waits for. It is no failure if the container has ended meanwhile.
   * @throws WeaveError ATTACH_FAILED, and then it is as it was before
   */
  async attach(info: ContainerInfo, wish: AttachWish): Promise<void> {
    const { id, pid, name } = info;
    const { naming, veths, onAttached, logger } = this.#deps;
    const began = performance.now();
    const process = ContainerProcess.open(pid, id);
    if (process === undefined) {
      if (!ContainerProcess.exists(pid)) return;
      throw new WeaveError(
        'ATTACH_FAILED',
        `process ${pid} does not belong to container ${name || id.slice(0, 12)}`,
      );
    }
    const before = this.#attached.get(id);
    const { cidrs, choice } = wish;
    try {
      const mac = macOf(id);
      this.#attached.set(id, { info, process, mac, cidrs, choice });
      // Publishes name and link in one write, while the link is being made.
      await naming.set(info, cidrs, choice.dns);
      const veth = await veths.prepare({
        process,
        containerId: id,
        mac,
        cidrs,
        multicast: choice.multicastRoute,
        dnsRoute: this.#deps.routeToDns(info.dns),
      });
      await this.#setHostname(info, process);
      const prepared = performance.now();
      await wish.begun;
      const resumed = performance.now();
      await this.writeHosts(id);
      await this.#writeResolvConf(id, throughOurs);
      await veth.finish();
      before?.process.close();
      const ms = prepared - began + performance.now() - resumed;
      onAttached(ms / 1000);
      const text = `attached as ${cidrs.join(', ')} in ${Math.round(ms)} ms`;
      this.#deps.history.add({ subject: id, name, text });
      logger.info({ container: id.slice(0, 12), name, cidrs, ms: Math.round(ms) }, 'attached');
    } catch (error) {
      const { alive } = process;
      process.close();
      await this.#takeBack(info, before, wish);
      // The namespace of a command that ends at once is gone.
      if (!alive) return;
      const text = `cannot attach container ${name || id.slice(0, 12)} to the network: ${messageOf(error)}`;
      throw new WeaveError('ATTACH_FAILED', text, { cause: error });
    }
  }

  /** Updates the container's hosts file, whoever has written it since. */
  async writeHosts(id: string): Promise<void> {
    const attachment = this.#attached.get(id);
    if (attachment === undefined) return;
    const { hosts, naming, conditions, domain } = this.#deps;
    const { info, process, cidrs, choice } = attachment;
    if (!choice.rewriteHosts || info.ownHosts) return;
    const wish = {
      ...info,
      called: naming.called(info).renamed ?? info.hostname,
      domain,
      addresses: cidrs.map(({ address }) => address),
      addHosts: choice.addHosts,
      isGone: (address: string) => isIPv4(address) && process.lacks(address),
    };
    try {
      const path = info.hostsPath || (await this.#engineFile(id, 'hosts'));
      hosts.ensure(id, path, wish);
      conditions.clear('HOSTS_FILE', id.slice(0, 12));
    } catch (error) {
      // It is on the network all the same; the container itself may have made the file unwritable.
      const text = `the /etc/hosts of container ${info.name} lacks its weave address: ${messageOf(error)}`;
      conditions.set('HOSTS_FILE', text, id.slice(0, 12));
    }
  }

  /** The daemon is ending: from here on containers query their own servers themselves. */
  async handOver(): Promise<void> {
    for (const id of this.#attached.keys()) await this.#writeResolvConf(id, pastOurs);
  }

  async #writeResolvConf(id: string, edit: typeof throughOurs): Promise<void> {
    const { isOurDns, conditions } = this.#deps;
    const { info, cidrs } = this.#attached.get(id) ?? {};
    // On a user-defined network Docker's own server is in that file, and asks ours first.
    if (!info || !cidrs || info.ownResolvConf || isUserNetwork(info.networkMode)) return;
    const subnets = cidrs.map((cidr) => cidr.subnet);
    const forwarded = forwardable(info.dns, subnets, isOurDns);
    if (forwarded.length === 0) return;
    try {
      const path = info.resolvConfPath || (await this.#engineFile(id, 'resolv.conf'));
      rewriteEngineFile(id, path, (text) => edit(text, { isOurs: isOurDns, forwarded }));
      conditions.clear('RESOLV_CONF', id.slice(0, 12));
    } catch (error) {
      const text = `container ${info.name} may ask its own DNS servers before ours: ${messageOf(error)}`;
      conditions.set('RESOLV_CONF', text, id.slice(0, 12));
    }
  }

  /** Its path before the engine reports it, which is only after the first start. */
  async #engineFile(id: string, name: string): Promise<string> {
    return `${await this.#deps.engineRoot()}/containers/${id}/${name}`;
  }

  /** The container is checked again, in the same run. It may have been renamed. */
  async refresh(info: ContainerInfo): Promise<void> {
    const attachment = this.#attached.get(info.id);
    if (attachment === undefined) return;
    this.#attached.set(info.id, { ...attachment, info });
    if (attachment.info.name !== info.name) {
      await this.#deps.naming.set(info, attachment.cidrs, attachment.choice.dns);
      await this.#setHostname(info, attachment.process);
    }
    await this.writeHosts(info.id);
  }

  /** Removes some addresses from an attached container; with the last one, ethwe and the name. */
  async reduce(attachment: Attachment, leaving: readonly Cidr[]): Promise<void> {
    const { veths, hosts, naming } = this.#deps;
    const { info, process, choice } = attachment;
    const cidrs = attachment.cidrs.filter((cidr) => !leaving.includes(cidr));
    if (cidrs.length === 0) {
      await veths.remove(info.pid);
      if (choice.multicastRoute) await veths.removeRules(process).catch(() => {});
      hosts.remove(info.id);
      await this.ended(info.id);
      return;
    }
    await veths.removeAddresses(process, leaving);
    this.#attached.set(info.id, { ...attachment, cidrs });
    this.#deps.history.add({ subject: info.id, name: info.name, text: `gave back ${leaving.join(', ')}` });
    await naming.set(info, cidrs, choice.dns);
    await this.writeHosts(info.id);
  }

  /** The container has ended, or is to be left alone. */
  async ended(id: string): Promise<void> {
    const { naming, hosts, conditions, veths, logger } = this.#deps;
    const attachment = this.#attached.get(id);
    this.#attached.delete(id);
    hosts.forget(id);
    await naming.clear(id);
    if (attachment === undefined) return;
    const { info, process } = attachment;
    conditions.clear('HOSTS_FILE', info.id.slice(0, 12));
    conditions.clear('RESOLV_CONF', info.id.slice(0, 12));
    logger.info({ container: id.slice(0, 12), name: info.name }, 'detached');
    this.#deps.history.add({ subject: id, name: info.name, text: 'detached' });
    const { alive } = process;
    process.close();
    // The link goes with the namespace, by itself and for free, unless another container still uses that.
    if (!alive && linkExists(hostLink(info.pid))) await veths.remove(info.pid);
  }

  /** Removes links of ended containers whose network namespace something else kept alive. */
  async sweep(): Promise<void> {
    const attached = new Set(this.list().map(({ info }) => info.pid));
    for (const pid of vethPids()) {
      if (attached.has(pid)) continue;
      const containerId = vethOwner(pid);
      // One without an id is being made, or is from an earlier version.
      const process = containerId === '' ? undefined : ContainerProcess.open(pid, containerId);
      process?.close();
      if (!process && (containerId !== '' || !ContainerProcess.exists(pid)))
        await this.#deps.veths.remove(pid);
    }
  }

  /** The engine sets create's hostname at each start; one derived from the name follows the name. */
  async #setHostname(info: ContainerInfo, process: ContainerProcess): Promise<void> {
    const { renamed } = this.#deps.naming.called(info);
    if (renamed !== undefined) await setHostname(process, renamed);
  }

  /** Undoes what this call added; what the container had before stays. */
  async #takeBack(info: ContainerInfo, before: Attachment | undefined, { cidrs }: AttachWish): Promise<void> {
    const { naming, veths, hosts } = this.#deps;
    if (before?.process.alive && before.info.pid === info.pid) {
      this.#attached.set(info.id, before);
      const added = cidrs.filter((cidr) => !before.cidrs.some((had) => had.equals(cidr)));
      await veths.removeAddresses(before.process, added).catch(() => {});
      await naming.set(before.info, before.cidrs, before.choice.dns);
      await this.writeHosts(info.id);
      return;
    }
    before?.process.close();
    this.#attached.delete(info.id);
    hosts.remove(info.id);
    await naming.clear(info.id);
    await veths.remove(info.pid);
  }
}
