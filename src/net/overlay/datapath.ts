import type { Logger } from '../../lib/log.ts';
import { type Cidr, type Ip, parseIp } from '../../model/address.ts';
import type { PathHealth } from '../../model/path-health.ts';
import { heartbeatPort, vxlanPort, wireguardPort } from '../../model/ports.ts';
import { bridgeName } from '../bridge.ts';
import { IpBatch } from '../ip.ts';
import { isUp, linkExists, linkFile, linkMaster } from '../sysfs.ts';
import { Announcer } from './announce.ts';
import { Forwarding, type RemoteEntry } from './forwarding.ts';
import { Heartbeat } from './heartbeat.ts';
import { ensureOvs, ovsPort, removeOvs } from './ovs.ts';
import { type PathState, pathState } from './path-state.ts';
import { Probe } from './probe.ts';
import { removeProbeLink } from './probe-link.ts';
import { ensureOverlayPort, ensureVxlan, vxlanLink, wireguardOverhead } from './vxlan.ts';
import { removeWireguard, Wireguard, wireguardLink } from './wireguard.ts';

/** Another host. */
export interface PeerEndpoint {
  /** MAC */
  name: string;
  nickname: string;
  /** underlay IPv4 */
  address: string;
  /** WireGuard's, base64, unsealed; absent: it does not encrypt */
  publicKey?: string;
  /** known to the store's readers alone; absent: its probe does not answer */
  id?: string;
}

/** The state of the link between this host and another. */
export interface PeerState extends PathState {
  peer: PeerEndpoint;
  carrier: 'vxlan' | 'encrypted wireguard';
  /** inside the network; undefined: it is not asked there */
  health: PathHealth | undefined;
  /** bytes that a packet of a container may have; undefined: it is not known, or none pass */
  mtu: number | undefined;
}

/** Accepts other hosts' frames. */
export interface Guard {
  /** @param changes `peers`: underlay addresses of all other hosts */
  set(changes: { peers: readonly string[] }): Promise<void>;
}

/** How to make a {@link Datapath}. */
export interface DatapathOptions {
  kind: 'bridge' | 'ovs';
  /** of this host, as it is registered */
  id: string;
  /** VXLAN network identifier of the cluster */
  vni: number;
  /** this host's underlay IPv4 */
  address: string;
  /** of the containers' network, of {@link datapathMtu} */
  mtu: number;
  /** null: in clear */
  encryption: {
    underlayMtu: number;
    /** peers in these go in clear */
    trustedSubnets: readonly Cidr[];
  } | null;
  guard: Guard;
  logger: Logger;
}

/**
 * What carries frames between the hosts' bridges. The bridge must be there before {@link start}. Forwarding goes on
 * while no daemon runs: a new one takes over what it finds, and changes only what differs.
 */
export class Datapath {
  readonly mtu: number;
  /** Called when the MTU of a path is another. */
  onPathsChanged: () => void = () => {};
  #options: DatapathOptions;
  readonly #announcer: Announcer;
  readonly #forwarding: Forwarding;
  readonly #probe: Probe;
  #heartbeat: Heartbeat | undefined;
  #wireguard: Wireguard | undefined;
  #peers: readonly PeerEndpoint[] = [];
  #probes: ReadonlyMap<string, RemoteEntry> = new Map();
  /** false: the last {@link setPeers} did not fully take effect */
  #peersSet = true;
  /** the links as of the last repair */
  #links = '';

  constructor(options: DatapathOptions) {
    this.mtu = options.mtu;
    this.#options = options;
    this.#announcer = new Announcer({ local: options.address, vni: options.vni });
    this.#forwarding = new Forwarding({ port: this.#port, announcer: this.#announcer });
    this.#probe = new Probe({
      id: options.id,
      mtu: options.mtu,
      underlay: (address) => this.#underlay(address),
      changed: () => this.onPathsChanged(),
      logger: options.logger,
    });
  }

  /** VXLAN network identifier. */
  get vni(): number {
    return this.#options.vni;
  }

  /** This host's, base64, to be sealed and given to the others; null: in clear. Known after {@link start}. */
  get publicKey(): string | null {
    return this.#wireguard?.publicKey ?? null;
  }

  /**
   * Sets up links and rules; forwarding is touched once peers and entries are given.
   * @throws WeaveError TOOL_MISSING, TOOL_FAILED, ADDRESS_IN_USE
   */
  async start(): Promise<void> {
    const { encryption, address, logger } = this.#options;
    if (encryption === null) await removeWireguard();
    else
      this.#wireguard = await Wireguard.start({
        ...encryption,
        mtu: encryption.underlayMtu - wireguardOverhead,
        logger,
      });
    await this.#ensureLinks();
    this.#heartbeat = await Heartbeat.start(address);
  }

  /**
   * Repairs what others have changed: links that were replaced, are down or have left the bridge; what encrypts; and
   * what could not be programmed before. @returns true if links were, or what encrypts
   */
  async repair(): Promise<boolean> {
    const encryption = (await this.#wireguard?.repair()) ?? false;
    const links = this.#links !== this.#linkState();
    if (links) {
      await this.#ensureLinks();
      await this.#forwarding.reload();
    } else await this.#forwarding.repair();
    if (!this.#peersSet) await this.setPeers(this.#peers);
    await this.#probe.repair();
    return links || encryption;
  }

  /**
   * This host has another address towards the others: links and what runs here follow, and its entries stay.
   * @throws WeaveError TOOL_FAILED, ADDRESS_IN_USE
   */
  async move(address: string): Promise<void> {
    this.#options = { ...this.#options, address };
    this.#announcer.move(address);
    this.#heartbeat?.close();
    this.#heartbeat = undefined;
    await this.#ensureLinks();
    await this.#forwarding.reload();
    this.#heartbeat = await Heartbeat.start(address);
    await this.setPeers(this.#peers);
  }

  /** Sets all other hosts. Entries of a host take effect once it is among them. */
  async setPeers(peers: readonly PeerEndpoint[]): Promise<void> {
    this.#peers = peers;
    this.#peersSet = false;
    const carried = peers.filter((peer) => this.#isCarried(peer));
    await this.#options.guard.set({ peers: carried.map(({ address }) => address) });
    await this.#wireguard?.setPeers(
      carried.flatMap(({ address, publicKey }) =>
        publicKey !== undefined && this.#isEncrypted(address) ? [{ address, publicKey }] : [],
      ),
    );
    this.#heartbeat?.setPeers(carried.map(({ address }) => address));
    await this.#setProbes(this.#probe.setPeers(carried));
    await this.#forwarding.setPeers(new Map(carried.map(({ name, address }) => [name, address])));
    if (this.#peers === peers) this.#peersSet = true;
  }

  /** Sets everything that is on other hosts. */
  resetRemote(entries: Iterable<RemoteEntry>): Promise<void> {
    return this.#forwarding.reset([...entries, ...this.#probes.values()]);
  }

  /** Adds, or changes, what is on another host. */
  async putRemote(entry: RemoteEntry): Promise<void> {
    await this.#forwarding.put(entry);
    // It is behind a narrow path, too.
    if (this.#probe.paths.mtuOf(entry.peer)) this.onPathsChanged();
  }

  /** @param peer the former owner: an entry that another has by now stays */
  deleteRemote(mac: string, peer: string): Promise<void> {
    return this.#forwarding.delete(mac, peer);
  }

  /** The state of each peer, in order. */
  state(): PeerState[] {
    const healths = this.#probe.health();
    return this.#peers.map((peer) => {
      const carrier = this.#isEncrypted(peer.address) ? 'encrypted wireguard' : 'vxlan';
      if (!this.#isCarried(peer)) {
        const text = 'it has no encryption key; was it launched without --password?';
        return { peer, carrier, state: 'failed', text, health: undefined, mtu: undefined };
      }
      const { name, address } = peer;
      const ports = carrier === 'vxlan' ? `${heartbeatPort} and ${vxlanPort}` : `${wireguardPort}`;
      const underlay = this.#underlay(address);
      const health = healths.get(name);
      const { state, text } = pathState({ address, underlay, ports, health, mtu: this.mtu });
      const mtu = state === 'established' ? (this.#probe.paths.mtuOf(name) ?? this.mtu) : undefined;
      return { peer, carrier, state, text, health, mtu };
    });
  }

  /** Addresses on other hosts to which packets of full size do not pass, and the size that does. */
  narrow(): Map<Ip, number> {
    const { paths } = this.#probe;
    const found = paths.narrow().flatMap((peer) => {
      const mtu = paths.mtuOf(peer) ?? this.mtu;
      return this.#forwarding.ipsOf(peer).map((ip): [Ip, number] => [ip, mtu]);
    });
    return new Map(found);
  }

  /** True for an address of a host of which it is not known yet what passes. */
  isUndecided(ip: string): boolean {
    const peer = this.#forwarding.peerOf(ip);
    return peer !== undefined && this.#probe.paths.mtuOf(peer) === undefined;
  }

  /** Ends everything that runs in or for this process; the kernel keeps forwarding. */
  async stop(): Promise<void> {
    this.#heartbeat?.close();
    await this.#probe.close();
    this.#announcer.close();
    this.#forwarding.close();
    await this.#wireguard?.stop();
  }

  /** The probes are among what other hosts have. */
  async #setProbes(entries: readonly RemoteEntry[]): Promise<void> {
    const before = this.#probes;
    this.#probes = new Map(entries.map((entry) => [entry.mac, entry]));
    const gone = [...before.values()].filter(({ mac }) => !this.#probes.has(mac));
    const fresh = entries.filter(({ mac }) => !before.has(mac));
    await Promise.all([
      ...gone.map(({ mac, peer }) => this.#forwarding.delete(mac, peer)),
      ...fresh.map((entry) => this.#forwarding.put(entry)),
    ]);
  }

  #underlay(address: string): PathHealth['underlay'] {
    const reach = this.#heartbeat?.reach(address);
    return reach === 'established' ? 'up' : reach === 'failed' ? 'down' : 'unknown';
  }

  /** The bridge's port towards the other hosts. */
  get #port(): string {
    return this.#options.kind === 'ovs' ? ovsPort : vxlanLink;
  }

  async #ensureLinks(): Promise<void> {
    const { kind, vni, address, mtu } = this.#options;
    // Separate batches: one that has seen an earlier link of that name may have a stale index.
    const [ip, bridge] = [new IpBatch(), new IpBatch('bridge')];
    try {
      await ensureVxlan(ip, { vni, local: address, mtu });
      if (kind === 'ovs') await ensureOvs(ip, mtu);
      else await removeOvs(ip);
      await ensureOverlayPort(ip, bridge, this.#port);
      this.#links = this.#linkState();
    } finally {
      ip.close();
      bridge.close();
    }
  }

  #linkState(): string {
    const states = [bridgeName, vxlanLink, this.#port].map(
      (link) => `${linkFile(link, 'ifindex')} ${isUp(link)}`,
    );
    return [...states, linkMaster(this.#port)].join();
  }

  #isEncrypted(address: string): boolean {
    const { encryption } = this.#options;
    return (
      encryption !== null && !encryption.trustedSubnets.some((subnet) => subnet.contains(parseIp(address)))
    );
  }

  #isCarried({ address, publicKey }: PeerEndpoint): boolean {
    return publicKey !== undefined || !this.#isEncrypted(address);
  }
}

/** The host is in no cluster any more, and Open vSwitch not asked for: removes what led to the others. */
export async function forgetPeers(): Promise<void> {
  if (![vxlanLink, wireguardLink].some(linkExists)) return;
  await removeDatapath();
  const ip = new IpBatch();
  try {
    await ip.run([`neigh flush dev ${bridgeName} nud permanent`]);
  } finally {
    ip.close();
  }
}

/** Removes all links and rules of a datapath, whoever made them. */
export async function removeDatapath(): Promise<void> {
  const ip = new IpBatch();
  try {
    if (linkExists(vxlanLink)) await ip.run([`link del ${vxlanLink}`]);
    await removeOvs(ip);
  } finally {
    ip.close();
  }
  await removeProbeLink();
  await removeWireguard();
}
