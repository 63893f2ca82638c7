import { WeaveError } from '../../lib/errors.ts';
import type { Ip } from '../../model/address.ts';
import type { Mac } from '../../model/mac.ts';
import { bridgeName } from '../bridge.ts';
import { IpBatch, queryJson } from '../ip.ts';
import type { Announcer } from './announce.ts';
import { vxlanLink } from './vxlan.ts';

/** An interface of the containers' network on another host. */
export interface RemoteEntry {
  mac: Mac;
  /** its IPv4 addresses */
  ips: readonly Ip[];
  /** name of the peer that it is on */
  peer: string;
}

/** The destination that stands for broadcast, multicast: each of its entries gets a copy. */
const anyMac = '00:00:00:00:00:00';

/** ms between checks for entries removed by others: at least, and per entry. */
const lookInterval = { least: 60_000, entry: 12 };

interface FdbEntry {
  mac: string;
  ifname: string;
  flags?: string[];
  master?: string;
  dst?: string;
  state?: string;
}

/** The kernel's last known entries. */
interface Programmed {
  /** underlay addresses that broadcasts go to */
  floods: Set<string>;
  /** MAC to underlay address, of the VXLAN link */
  routes: Map<string, string>;
  /** MACs that the bridge sends to its overlay port */
  ports: Set<string>;
  /** IP to MAC, for the bridge to answer ARP */
  neighbours: Map<string, string>;
}

/**
 * The kernel's entries for what is on other hosts: where each MAC is, whom broadcasts go to, which MAC an IP has.
 * Holds what is wanted and what is programmed, and applies only the difference; changes that come while one batch
 * runs go together into the next. Nothing is touched before both the peers and the entries are known.
 */
export class Forwarding {
  /** port of the bridge that the overlay is behind */
  readonly #port: string;
  readonly #announcer: Announcer;
  /** name to underlay address; undefined until it is known */
  #peers: ReadonlyMap<string, string> | undefined;
  /** MAC to entry */
  readonly #entries = new Map<string, RemoteEntry>();
  /** name of a peer to the MACs on it, so that a host that comes or goes costs what it has, not what all have */
  readonly #macsOf = new Map<string, Set<string>>();
  #entriesKnown = false;
  /** IP to MAC, of the entries */
  readonly #macs = new Map<string, string>();

  #programmed: Programmed | undefined;
  /** ms; when what the kernel has is to be read again */
  #nextLook = 0;
  #peersDirty = false;
  readonly #dirtyMacs = new Set<string>();
  readonly #dirtyIps = new Set<string>();
  readonly #toAnnounce = new Set<string>();
  #flushing: Promise<void> = Promise.resolve();
  #ip = new IpBatch();
  #bridge = new IpBatch('bridge');

  constructor({ port, announcer }: { port: string; announcer: Announcer }) {
    this.#port = port;
    this.#announcer = announcer;
  }

  /** Forgets what is programmed: the next flush reads it from the kernel, and repairs everything. */
  reload(): Promise<void> {
    this.#programmed = undefined;
    return this.#flush();
  }

  /** Retries what could not be programmed; now and then checks that the kernel still has everything. */
  async repair(): Promise<void> {
    if (this.#programmed && performance.now() < this.#nextLook) return;
    await this.reload();
  }

  /** @param peers name to underlay address, of all other hosts that are reached */
  setPeers(peers: ReadonlyMap<string, string>): Promise<void> {
    const before = this.#peers ?? new Map<string, string>();
    this.#peers = peers;
    this.#peersDirty = true;
    for (const peer of new Set([...before.keys(), ...peers.keys()])) {
      if (before.get(peer) === peers.get(peer)) continue;
      for (const mac of this.#macsOf.get(peer) ?? []) this.#dirtyMacs.add(mac);
    }
    return this.#flush();
  }

  /** Sets all entries. */
  reset(entries: Iterable<RemoteEntry>): Promise<void> {
    const gone = new Set(this.#entries.keys());
    for (const entry of entries) {
      gone.delete(entry.mac);
      this.#put(entry);
    }
    for (const mac of gone) this.#drop(mac);
    this.#entriesKnown = true;
    return this.#flush();
  }

  /** Adds an entry, or changes that of the same MAC. */
  put(entry: RemoteEntry): Promise<void> {
    // Containers here may still remember the address's former owner.
    for (const ip of entry.ips) this.#toAnnounce.add(ip);
    this.#put(entry);
    return this.#flush();
  }

  /** @param peer whose it was: the entry of another, which has the MAC by now, stays */
  async delete(mac: string, peer: string): Promise<void> {
    if (this.#entries.get(mac)?.peer !== peer) return;
    this.#drop(mac);
    return this.#flush();
  }

  /** IPv4 addresses of the containers' network that are on a host. */
  ipsOf(peer: string): Ip[] {
    return [...(this.#macsOf.get(peer) ?? [])].flatMap((mac) => this.#entries.get(mac)?.ips ?? []);
  }

  /** The host that has an address; undefined: it is not known. */
  peerOf(ip: string): string | undefined {
    return this.#entries.get(this.#macs.get(ip) ?? '')?.peer;
  }

  close(): void {
    this.#ip.close();
    this.#bridge.close();
  }

  #put(entry: RemoteEntry): void {
    const before = this.#entries.get(entry.mac);
    if (before?.peer === entry.peer && before.ips.join() === entry.ips.join()) return;
    this.#drop(entry.mac);
    this.#entries.set(entry.mac, entry);
    const macs = this.#macsOf.get(entry.peer) ?? new Set();
    this.#macsOf.set(entry.peer, macs.add(entry.mac));
    for (const ip of entry.ips) {
      this.#macs.set(ip, entry.mac);
      this.#dirtyIps.add(ip);
    }
  }

  #drop(mac: string): void {
    this.#dirtyMacs.add(mac);
    const entry = this.#entries.get(mac);
    if (entry === undefined) return;
    for (const ip of entry.ips) {
      if (this.#macs.get(ip) === mac) this.#macs.delete(ip);
      this.#dirtyIps.add(ip);
    }
    this.#entries.delete(mac);
    const macs = this.#macsOf.get(entry.peer);
    macs?.delete(mac);
    if (macs?.size === 0) this.#macsOf.delete(entry.peer);
  }

  #flush(): Promise<void> {
    const apply = () => this.#apply();
    this.#flushing = this.#flushing.then(apply, apply);
    return this.#flushing;
  }

  async #apply(): Promise<void> {
    // An earlier run's entries stay in use until their replacement is known.
    if (this.#peers === undefined || !this.#entriesKnown) return;
    this.#programmed ??= await this.#read();
    const programmed = this.#programmed;
    const announcements: [ip: string, mac: string][] = [];
    const fdb = [
      ...(this.#peersDirty ? floodLines(programmed, new Set(this.#peers.values())) : []),
      ...this.#macLines(programmed, this.#peers),
    ];
    const neighbours: string[] = [];
    for (const ip of this.#dirtyIps) {
      const mac = this.#macs.get(ip);
      const before = programmed.neighbours.get(ip);
      if (mac !== before) neighbours.push(neighbourLine(programmed, ip, mac));
      if (mac !== undefined && (this.#toAnnounce.has(ip) || (before !== undefined && before !== mac)))
        announcements.push([ip, mac]);
    }
    this.#peersDirty = false;
    this.#dirtyIps.clear();
    this.#dirtyMacs.clear();
    this.#toAnnounce.clear();
    const run = (batch: IpBatch, lines: string[]) => (lines.length === 0 ? [] : batch.run(lines));
    try {
      const [failure, ...others] = (
        await Promise.all([run(this.#bridge, fdb), run(this.#ip, neighbours)])
      ).flat();
      if (failure)
        throw new WeaveError(
          'TOOL_FAILED',
          `${others.length + 1} forwarding entries refused; ${failure.line}: ${failure.message}`,
        );
    } catch (error) {
      this.#programmed = undefined;
      throw error;
    }
    for (const [ip, mac] of announcements) this.#announcer.announce(ip, mac);
  }

  #macLines({ routes, ports }: Programmed, peers: ReadonlyMap<string, string>): string[] {
    const lines: string[] = [];
    for (const mac of this.#dirtyMacs) {
      const entry = this.#entries.get(mac);
      const address = entry && peers.get(entry.peer);
      if (address === undefined) {
        if (routes.delete(mac)) lines.push(`fdb del ${mac} dev ${vxlanLink} self`);
        if (ports.delete(mac)) lines.push(`fdb del ${mac} dev ${this.#port} master`);
        continue;
      }
      if (routes.get(mac) !== address)
        lines.push(`fdb replace ${mac} dev ${vxlanLink} dst ${address} self static`);
      if (!ports.has(mac)) lines.push(`fdb replace ${mac} dev ${this.#port} master static`);
      routes.set(mac, address);
      ports.add(mac);
    }
    return lines;
  }

  /** Reads the kernel's entries, and marks them and the wanted ones for comparison. */
  async #read(): Promise<Programmed> {
    // The links may be new ones, of which the old batches know the old index.
    this.close();
    this.#ip = new IpBatch();
    this.#bridge = new IpBatch('bridge');
    const fdb = await queryJson<FdbEntry>(['bridge', 'fdb', 'show', 'dev', vxlanLink]);
    const ofPort =
      this.#port === vxlanLink
        ? fdb
        : await queryJson<FdbEntry>(['bridge', 'fdb', 'show', 'dev', this.#port]);
    const neighbours = await queryJson<{ dst: string; lladdr: string }>([
      'ip',
      '-4',
      'neigh',
      'show',
      'dev',
      bridgeName,
      'nud',
      'permanent',
    ]);
    // For 100,000 entries this takes a second, during which nothing else is served.
    const pause = Math.max(lookInterval.least, lookInterval.entry * this.#entries.size);
    this.#nextLook = performance.now() + pause;
    const programmed: Programmed = {
      floods: new Set(),
      routes: new Map(),
      ports: new Set(
        ofPort.filter((e) => e.master !== undefined && e.state === 'static').map(({ mac }) => mac),
      ),
      neighbours: new Map(neighbours.map(({ dst, lladdr }) => [dst, lladdr])),
    };
    for (const { mac, dst } of fdb) {
      if (dst === undefined) continue;
      if (mac === anyMac) programmed.floods.add(dst);
      else programmed.routes.set(mac, dst);
    }
    this.#peersDirty = true;
    for (const macs of [programmed.routes.keys(), programmed.ports, this.#entries.keys()])
      for (const mac of macs) this.#dirtyMacs.add(mac);
    for (const ips of [programmed.neighbours.keys(), this.#macs.keys()])
      for (const ip of ips) this.#dirtyIps.add(ip);
    return programmed;
  }
}

function neighbourLine({ neighbours }: Programmed, ip: string, mac: string | undefined): string {
  if (mac === undefined) {
    neighbours.delete(ip);
    return `neigh del ${ip} dev ${bridgeName}`;
  }
  neighbours.set(ip, mac);
  return `neigh replace ${ip} lladdr ${mac} dev ${bridgeName} nud permanent`;
}

function floodLines({ floods }: Programmed, wanted: ReadonlySet<string>): string[] {
  const gone = [...floods].filter((address) => !wanted.has(address));
  const fresh = [...wanted].filter((address) => !floods.has(address));
  for (const address of gone) floods.delete(address);
  for (const address of fresh) floods.add(address);
  return [
    ...gone.map((address) => `fdb del ${anyMac} dev ${vxlanLink} dst ${address}`),
    ...fresh.map((address) => `fdb append ${anyMac} dev ${vxlanLink} dst ${address}`),
  ];
}
