import type { Logger } from '../../lib/log.ts';
import type { PathHealth } from '../../model/path-health.ts';
import { heartbeatPort } from '../../model/ports.ts';
import type { RemoteEntry } from './forwarding.ts';
import { Paths, type PathsDeps, type ProbedPeer, tickPause } from './paths.ts';
import { ProbeLink } from './probe-link.ts';
import { decodeProbe, encodeProbe, type ProbeMessage, probeAddress, probeKey } from './probe-message.ts';

/** Another host, with the id that its registration has; without one it answers no probes. */
export interface ProbeTarget extends ProbedPeer {
  id?: string | undefined;
}

/** What {@link Probe} works with. */
export interface ProbeDeps extends Pick<PathsDeps, 'underlay' | 'changed'> {
  /** of this host, as it is registered */
  id: string;
  /** of the containers' network */
  mtu: number;
  logger: Logger;
}

/** How another host's probe is spoken with. */
interface Contact {
  name: string;
  key: Buffer;
  ip: string;
  mac: string;
}

/** Asks the other hosts' probes, and answers them, inside the containers' network. */
export class Probe {
  readonly #deps: ProbeDeps;
  readonly #paths: Paths;
  #byIp = new Map<string, Contact>();
  #byName = new Map<string, Contact>();
  #link: ProbeLink | undefined;
  #repairing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: ProbeDeps) {
    this.#deps = deps;
    this.#paths = new Paths({
      ...deps,
      full: deps.mtu,
      now: () => performance.now(),
      date: () => Date.now(),
      send: (peer, size, nonce) => {
        const contact = this.#byName.get(peer);
        if (contact) this.#send(contact, { kind: 'ask', nonce }, size);
      },
    });
  }

  /** Sets the other hosts. @returns what the forwarding is to know of those of them that answer */
  setPeers(peers: readonly ProbeTarget[]): RemoteEntry[] {
    const { id: own } = this.#deps;
    const byIp = new Map<string, Contact>();
    const entries: RemoteEntry[] = [];
    const probed: ProbeTarget[] = [];
    for (const peer of peers) {
      const { name, id } = peer;
      if (id === undefined) continue;
      const { ip, mac } = probeAddress(id);
      // Of two with the same address, as there may be among thousands, the second is not asked.
      if (byIp.has(ip) || ip === probeAddress(own).ip) continue;
      byIp.set(ip, { name, ip, mac, key: probeKey(own, id) });
      entries.push({ mac, ips: [], peer: name });
      probed.push(peer);
    }
    this.#byIp = byIp;
    this.#byName = new Map([...byIp.values()].map((contact) => [contact.name, contact]));
    this.#paths.setPeers(probed);
    this.repair().catch((error: unknown) => this.#deps.logger.debug({ error }, 'no probe yet'));
    return entries;
  }

  /** Makes what is missing. @throws WeaveError TOOL_FAILED */
  repair(): Promise<void> {
    this.#repairing ??= this.#repair().finally(() => {
      this.#repairing = undefined;
    });
    return this.#repairing;
  }

  health(): Map<string, PathHealth> {
    return this.#paths.health();
  }

  get paths(): Pick<Paths, 'mtuOf' | 'narrow'> {
    return this.#paths;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#repairing?.catch(() => {});
    await this.#link?.close();
  }

  async #repair(): Promise<void> {
    // A host that is alone has none.
    if (this.#closed || this.#byIp.size === 0) return;
    if (this.#link && !this.#link.isThere) {
      await this.#link.close();
      this.#link = undefined;
    }
    this.#link ??= await this.#start();
    let set: ReadonlyMap<string, Contact> | undefined;
    while (set !== this.#byIp) {
      set = this.#byIp;
      await this.#link.setNeighbours(new Map([...set.values()].map(({ ip, mac }) => [ip, mac])));
    }
  }

  async #start(): Promise<ProbeLink> {
    const { id, mtu } = this.#deps;
    const link = await ProbeLink.make({ address: probeAddress(id), mtu });
    link.socket.on('message', (message, { address }) => this.#heard(message, address));
    this.#timer ??= setInterval(() => this.#paths.tick(), tickPause).unref();
    return link;
  }

  #heard(bytes: Buffer, from: string): void {
    const contact = this.#byIp.get(from);
    const message = contact && decodeProbe(bytes, contact.key);
    if (message?.kind === 'ask') this.#send(contact as Contact, { kind: 'answer', nonce: message.nonce });
    else if (message) this.#paths.answered((contact as Contact).name, message.nonce);
  }

  #send({ ip, key }: Contact, message: ProbeMessage, size?: number): void {
    // A lost one is what this is there to notice.
    this.#link?.socket.send(encodeProbe(message, key, size), heartbeatPort, ip, () => {});
  }
}
