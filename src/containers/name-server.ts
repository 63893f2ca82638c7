import type { Askers } from '../dns/askers.ts';
import type { ResponderDeps } from '../dns/responder.ts';
import { DnsServer } from '../dns/server.ts';
import { UpstreamDns } from '../dns/upstream.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { isIp } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { isUserNetwork } from '../model/policy.ts';
import { type DnsRoute, dnsLinkAddress, ensureDnsLink } from '../net/dns-link.ts';
import { canLimit, type Firewall } from '../net/firewall.ts';
import { addressOf } from '../net/host.ts';
import type { IpBatch } from '../net/ip.ts';
import { dnsAddressRecord } from '../store/records/dns-address.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';

export interface NameServerOptions extends Pick<ResponderDeps, 'domain' | 'ttl' | 'self'> {
  /** `ip` or `ip:port`; null: the docker bridge's address, wherever that moves */
  listen: string | null;
  dockerBridge: string;
  /** the host's; undefined: where it is on hosts */
  resolvConf: string | undefined;
  /** of our bridge */
  mac: string;
  /** true for an address by which other hosts reach this one */
  isOutside: (address: string) => boolean;
}

export interface NameServerDeps extends Pick<ResponderDeps, 'names' | 'hosts'> {
  ip: IpBatch;
  firewall: Pick<Firewall, 'set'>;
  store: Store;
  askers: Askers;
  conditions: Pick<Conditions, 'update'>;
  logger: Logger;
}

const port53 = 53;

/**
 * Our name server, where containers reach it: on the docker bridge's address, at its former ones, which containers
 * of then still ask, and on the weave bridge for those that have no other way.
 */
export class NameServer {
  readonly upstream: UpstreamDns;
  readonly #options: NameServerOptions;
  readonly #deps: NameServerDeps;
  readonly #server: DnsServer;
  readonly #port: number;
  readonly #link: string | null;
  readonly #former: Set<string>;
  /** which the upstream never asks */
  readonly #own: Set<string>;
  readonly #limitsSources: boolean;
  #address: string | null;

  private constructor(
    { options, deps }: { options: NameServerOptions; deps: NameServerDeps },
    state: {
      upstream: UpstreamDns;
      server: DnsServer;
      port: number;
      address: string | null;
      former: Iterable<string>;
      own: Set<string>;
      limitsSources: boolean;
    },
  ) {
    this.#options = options;
    this.#deps = deps;
    this.upstream = state.upstream;
    this.#server = state.server;
    this.#port = state.port;
    this.#link = state.port === port53 ? dnsLinkAddress : null;
    this.#address = state.address;
    this.#former = new Set(state.former);
    this.#own = state.own;
    this.#limitsSources = state.limitsSources;
  }

  /** @throws WeaveError DNS_PORT_BUSY, BAD_ADDRESS */
  static async start(options: NameServerOptions, deps: NameServerDeps): Promise<NameServer> {
    const { ip, store, logger } = deps;
    const [given, asked = String(port53)] = options.listen?.split(':') ?? [];
    const port = Number(asked);
    const address = given ?? (await addressOf(options.dockerBridge)) ?? null;
    const reader = new RecordReader(dnsAddressRecord, logger);
    const former = reader.readAll(await store.list(dnsAddressRecord.prefix)).map(({ key }) => String(key));
    if (port === port53) await ensureDnsLink(ip);
    const link = port === port53 ? [dnsLinkAddress] : [];
    const addresses = [...(address === null ? [] : [address]), ...link];
    const own = new Set([...addresses, ...former]);
    const { resolvConf } = options;
    const listening = () => [...own].map((each) => `${each}:${port}`);
    const upstream = new UpstreamDns({ resolvConf, own: listening, logger });
    const { domain, ttl, self } = options;
    const { names, hosts, askers } = deps;
    const server = await DnsServer.listen({
      addresses,
      port,
      domain,
      ttl,
      self,
      names,
      hosts,
      askers,
      upstream,
      logger,
    });
    const limitsSources = await canLimit();
    if (!limitsSources)
      logger.warn('the kernel lacks xt_hashlimit: a container that floods the name server slows it for all');
    const started = new NameServer(
      { options, deps },
      { upstream, server, port, address, former, own, limitsSources },
    );
    await started.#moved(address);
    return started;
  }

  /** `ip:port` for people; the docker bridge's where there is one. */
  get address(): string {
    return `${this.ip}:${this.#port}`;
  }

  get ip(): string {
    return this.#address ?? dnsLinkAddress;
  }

  /** True where containers may ask on our own bridge. */
  get isAtBridge(): boolean {
    return this.#link !== null;
  }

  /** Where this host itself asks: `IP` or `IP:PORT`, the same as long as we run. */
  get ofHost(): string {
    return this.#link ?? (this.#port === port53 ? this.ip : this.address);
  }

  /** The servers that a container is given, by its network. */
  serversFor(networkMode: string): string[] {
    if (this.#link === null) return [this.ip];
    if (networkMode === 'none') return [this.#link];
    // Docker's own DNS server asks one after the other: the second still answers when we have stopped.
    if (isUserNetwork(networkMode))
      return this.#address === null ? [this.#link] : [this.#link, this.#address];
    return [this.ip];
  }

  /** True for an address that a container may have been told of. */
  isOurs(server: string): boolean {
    return server === this.#address || server === this.#link || this.#former.has(server);
  }

  /** The route to our server for a container with these servers; undefined: through the engine's network. */
  routeFor(servers: readonly string[]): DnsRoute | undefined {
    if (this.#link === null || !servers.includes(this.#link)) return undefined;
    return { address: this.#link, mac: this.#options.mac };
  }

  /** Follows the docker bridge to another address. */
  async follow(): Promise<void> {
    if (this.#options.listen !== null) return;
    const now = await addressOf(this.#options.dockerBridge);
    if (now === undefined || now === this.#address) return;
    const { conditions, logger } = this.#deps;
    try {
      await this.#server.listenAlso(now, this.#port);
      conditions.update('DNS_ADDRESS', undefined);
    } catch (error) {
      return conditions.update('DNS_ADDRESS', messageOf(error));
    }
    logger.info(
      { from: this.#address, to: now },
      "the docker bridge's address changed; DNS serves the new one too",
    );
    if (this.#address !== null) this.#former.add(this.#address);
    this.#address = now;
    this.#own.add(now);
    await this.#moved(now);
  }

  /** Ends; queries for public names go directly to a server of the host until we are back. */
  async close(): Promise<void> {
    const { firewall, logger } = this.#deps;
    const next = this.upstream.beyondHost();
    this.upstream.close();
    await this.#server.close();
    const from = [...this.#former, ...(this.#address === null ? [] : [this.#address])];
    if (next === undefined) logger.warn('the host has no DNS server that containers can reach directly');
    const redirects = next === undefined ? [] : from.map((address) => ({ from: address, to: next }));
    await firewall.set({ dnsRedirects: redirects });
  }

  async #moved(address: string | null): Promise<void> {
    const { store, firewall } = this.#deps;
    if (address !== null && isIp(address)) {
      this.#former.delete(address);
      await store.commit([dnsAddressRecord.write(address, {})]);
    }
    const port = this.#port;
    const isMoved = port === port53 && address !== null;
    await firewall.set({
      dns: {
        addresses: [...new Set([this.ip, ...(this.#link === null ? [] : [this.#link])])],
        port,
        openToOutside: this.#options.listen !== null && this.#options.isOutside(this.ip),
        limitsSources: this.#limitsSources,
      },
      dnsRedirects: isMoved ? [...this.#former].map((from) => ({ from, to: address })) : [],
    });
  }
}
