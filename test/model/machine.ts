import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { NameClaim } from '../../src/cluster/claim.ts';
import { Cluster } from '../../src/cluster/registration.ts';
import { NameTable } from '../../src/dns/names.ts';
import type { Allocator } from '../../src/ipam/allocator.ts';
import { Blocks } from '../../src/ipam/blocks.ts';
import { keyCell, parseCell } from '../../src/ipam/grid.ts';
import { hasCode } from '../../src/lib/errors.ts';
import { silent } from '../../src/lib/log.ts';
import type { Cidr, Ip } from '../../src/model/address.ts';
import { macOf } from '../../src/net/veth.ts';
import type { Link } from '../../src/store/records/link.ts';
import { loadAllocator } from '../support/ipam.ts';
import { noDatapath } from '../support/no-datapath.ts';
import { Rows, View } from '../unit/ipam/blocks-cluster.ts';

/** ms; everything that takes seconds in earnest takes these. */
export const moment = 2;

/** What all machines share. */
export interface World {
  shared: Rows;
  range: Cidr;
  random: (n: number) => number;
}

/** One run of weavets on a machine: the parts that decide who has which address, as the daemon wires them. */
class Daemon {
  readonly shared: View;
  readonly stop = new AbortController();
  blocks: Blocks | undefined;
  allocator: Allocator | undefined;
  cluster: Cluster | undefined;
  claim: NameClaim | undefined;
  /** it runs; else it was refused, or is being launched */
  up = false;

  constructor(shared: View) {
    this.shared = shared;
    setMaxListeners(0, this.stop.signal);
  }
}

/** A machine with a disk and containers; weavets on it can end and begin, the containers stay. */
export class Machine {
  readonly name: string;
  readonly id: string;
  readonly address: Ip;
  readonly disk: Rows;
  /** running containers and what they were given */
  readonly containers = new Map<string, number[]>();
  readonly #world: World;
  #local: View | undefined;
  #seen = { revision: 0, ips: [] as number[] };
  daemon: Daemon;
  /** what was asked of it and has not ended */
  pending: Promise<unknown>[] = [];

  constructor(world: World, fields: { name: string; id: string; address: Ip; disk?: Rows }) {
    this.#world = world;
    this.name = fields.name;
    this.id = fields.id;
    this.address = fields.address;
    this.disk = fields.disk ?? new Rows();
    this.daemon = new Daemon(new View(world.shared, world.random));
  }

  /** Launches the daemon; one that is refused its name ends again. */
  async launch(cut = this.daemon.shared.cut): Promise<void> {
    const { shared, range, random } = this.#world;
    const daemon = new Daemon(new View(shared, random));
    this.daemon = daemon;
    daemon.shared.cut = cut;
    this.#local = new View(this.disk, random);
    this.#local.flaky = false;
    const { signal } = daemon.stop;
    const { name, id, address } = this;
    let blocks: Blocks | undefined;
    try {
      daemon.claim = await NameClaim.take({
        shared: daemon.shared,
        name,
        id,
        address,
        signal,
        logger: silent,
        patience: 10 * moment,
        pause: moment,
        changed: (lost: string | undefined) => blocks?.suspend(lost),
      });
    } catch (error) {
      if (!hasCode(error, 'CLUSTER_MISMATCH')) throw error;
      return;
    }
    blocks = await Blocks.start({
      shared: daemon.shared,
      local: this.#local,
      peer: name,
      machine: id,
      range,
      signal,
      logger: silent,
      claimed: daemon.claim.entry,
      conditions: { update: () => {} },
      maintainInterval: moment,
      startTimeout: 10 * moment,
      askTimeout: 500,
      quarantine: 10 * moment,
    });
    const allocator = await loadAllocator({ range, store: this.#local, space: blocks });
    if (signal.aborted) return;
    blocks.attach(allocator);
    daemon.blocks = blocks;
    daemon.allocator = allocator;
    daemon.cluster = Cluster.join({
      shared: daemon.shared,
      datapath: noDatapath,
      names: new NameTable(),
      seal: null,
      version: '0',
      blocks,
      claim: daemon.claim,
      self: { name, id, nickname: id, address },
      signal,
      logger: silent,
      linkOf: (owner: string) => this.#linkOf(owner),
      owners: () => [...this.containers.keys()],
      grace: 10 * moment,
      pause: moment,
    });
    daemon.cluster.completed();
    daemon.up = true;
  }

  /** The daemon ends as by kill -9. */
  crash(): void {
    const { shared, stop } = this.daemon;
    stop.abort();
    this.daemon.up = false;
    this.pending = [];
    for (const view of [shared, this.#local]) {
      if (view) view.dead = true;
      void view?.close();
    }
  }

  /** It gives addresses: its daemon runs, and has its name. */
  get serves(): boolean {
    const { up, claim } = this.daemon;
    if (!up || !claim?.held) return false;
    return this.#world.shared.rows.get(claim.entry.key)?.value === claim.entry.value;
  }

  async start(owner: string, give: (allocator: Allocator) => Promise<Cidr>): Promise<void> {
    const { daemon } = this;
    if (!daemon.up || !daemon.allocator) return;
    const { ip } = await give(daemon.allocator);
    this.containers.set(owner, [ip]);
    daemon.cluster?.changed(owner);
  }

  async remove(owner: string): Promise<void> {
    const { daemon } = this;
    if (!daemon.up || !daemon.allocator) return;
    this.containers.delete(owner);
    daemon.cluster?.changed(owner);
    await daemon.allocator.release(owner);
  }

  /** Addresses of which the host, were it to start anew now, thinks that it may give them. */
  owned(): number[] {
    if (this.#seen.revision === this.disk.revision) return this.#seen.ips;
    const ips = this.disk
      .list('block/')
      .flatMap(({ key, value }) => parseCell(keyCell(key) ?? 0, value))
      .filter(({ peer }) => peer === this.name)
      .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    this.#seen = { revision: this.disk.revision, ips };
    return ips;
  }

  #linkOf(owner: string): Link | undefined {
    const ips = this.containers.get(owner);
    return ips && { mac: macOf(owner), ips: ips.map((ip) => addressOf(ip)), names: [] };
  }
}

const addressOf = (ip: number) => [24, 16, 8, 0].map((bits) => (ip >>> bits) & 255).join('.') as Ip;

/** Waits until it is so. @throws after a minute */
export async function eventually(what: string, probe: () => boolean): Promise<void> {
  for (const end = performance.now() + 60_000; !probe(); await delay(moment)) {
    if (performance.now() > end) throw new Error(`not within a minute: ${what}`);
  }
}
