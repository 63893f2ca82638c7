import { readFileSync } from 'node:fs';
import { runOk } from '../lib/exec.ts';
import { eachOf } from '../lib/lock.ts';
import { Cidr, type Ip, parseIp } from '../model/address.ts';
import { bridgeName } from '../net/bridge.ts';
import { batchText } from '../net/ip.ts';
import { containerLink, inNetns } from '../net/veth.ts';
import type { ContainerProcess } from './container-process.ts';
import { type OwnRoute, ownRoutes, routeMark } from './own-routes.ts';

/** Beyond this many addresses a container gets one route for its whole network, instead of one for each. */
const mostRoutes = 512;
/** Bytes of an IPv4 and a TCP header. */
const tcpHeaders = 40;
/** Containers that are entered at a time. */
const width = 2;

/** An attached container. */
export interface AttachedContainer {
  info: { id: string; pid: number };
  process: Pick<ContainerProcess, 'alive' | 'openNetns' | 'routeTable'>;
  cidrs: readonly Cidr[];
  choice: { multicastRoute: boolean };
}

/** What {@link PathMtu} works with. */
export interface PathMtuDeps {
  attachments: { list(): AttachedContainer[] };
  /** the host's own addresses on the network */
  exposed: () => readonly Cidr[];
  paths: {
    /** addresses to which packets of full size do not pass, and the size that does */
    narrow(): ReadonlyMap<Ip, number>;
    /** true while it is not known what passes: existing routes stay */
    isUndecided(ip: string): boolean;
  };
}

/**
 * Has this host's containers, and the host itself, send no more than passes: a route with that MTU to each address of
 * a host behind a narrow path, and to multicast, which goes there too. TCP and what the kernel fragments follow at
 * once, open connections among them; other pairs keep their size. Our routes are known by their metric, and yield to
 * those of the container's own.
 */
export class PathMtu {
  readonly #deps: PathMtuDeps;
  /** sender to what it was last brought to */
  #done = new Map<string, string>();
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(deps: PathMtuDeps) {
    this.#deps = deps;
  }

  /** Updates every container; those already up to date cost nothing. @throws WeaveError TOOL_FAILED */
  apply(): Promise<void> {
    // One run at a time; all who ask while it is under way share the next.
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      return this.#apply();
    });
    this.#last = this.#next.catch(() => {});
    return this.#next;
  }

  async #apply(): Promise<void> {
    const { attachments, exposed, paths } = this.#deps;
    const narrow = paths.narrow();
    const done = new Map<string, string>();
    let failure: unknown;
    const senders = [hostItself(exposed()), ...attachments.list().map(containerOf)];
    await eachOf(senders, width, async (sender) => {
      const wanted = routesFor(sender, narrow);
      const state = [...wanted.values()].map(({ line }) => line).join();
      try {
        if (this.#done.get(sender.id) === state || (await this.#bring(sender, wanted)))
          done.set(sender.id, state);
      } catch (error) {
        // One that has just ended has no routes any more.
        if (sender.alive()) failure ??= error;
      }
    });
    this.#done = done;
    if (failure !== undefined) throw failure;
  }

  /** @returns false: there are routes of which it is not known yet whether they are needed */
  async #bring({ link, table, run }: Sender, wanted: ReadonlyMap<string, WantedRoute>): Promise<boolean> {
    const there = ownRoutes(table(), link);
    const stale = there.filter(({ prefix }) => !wanted.has(prefix));
    const gone = stale.filter((route) => !this.#isKept(route));
    const has = new Set(there.map(({ prefix, mtu }) => `${prefix} ${mtu}`));
    const fresh = [...wanted].filter(([prefix, { mtu }]) => !has.has(`${prefix} ${mtu}`));
    const lines = [
      ...fresh.map(([, { line }]) => `route replace ${line}`),
      ...gone.map(({ prefix }) => `route del ${prefix} dev ${link} ${routeMark}`),
    ];
    if (lines.length > 0) await run(lines);
    return gone.length === stale.length;
  }

  #isKept({ prefix }: OwnRoute): boolean {
    const [ip = '', length] = prefix.split('/');
    return length === '32' && this.#deps.paths.isUndecided(ip);
  }
}

/** Who sends into the network: a container in this run of it, or the host. */
interface Sender {
  id: string;
  link: string;
  cidrs: readonly Cidr[];
  multicast: boolean;
  alive: () => boolean;
  /** its routes, as the kernel prints them */
  table: () => string;
  /** runs lines of `ip`'s batch language where its routes are */
  run: (lines: readonly string[]) => Promise<unknown>;
}

function containerOf({ info, process, cidrs, choice }: AttachedContainer): Sender {
  return {
    id: `${info.id} ${info.pid}`,
    link: containerLink,
    cidrs,
    multicast: choice.multicastRoute,
    alive: () => process.alive,
    table: () => process.routeTable(),
    run: (lines) => inNetns(process, ['ip', '-batch', '-'], lines),
  };
}

function hostItself(cidrs: readonly Cidr[]): Sender {
  return {
    id: '',
    link: bridgeName,
    cidrs,
    multicast: false,
    alive: () => true,
    table: () => readFileSync('/proc/self/net/route', 'utf8'),
    run: (lines) => runOk(['ip', '-batch', '-'], { input: batchText(lines) }),
  };
}

interface WantedRoute {
  mtu: number;
  /** what `ip route replace` is told */
  line: string;
}

/** What a sender is to have, by prefix. */
export function routesFor(
  { link, cidrs, multicast }: Pick<Sender, 'link' | 'cidrs' | 'multicast'>,
  narrow: ReadonlyMap<Ip, number>,
): Map<string, WantedRoute> {
  const wanted = new Map<string, WantedRoute>();
  if (narrow.size === 0) return wanted;
  const least = Math.min(...narrow.values());
  const add = (prefix: string, mtu: number, from?: Cidr) => {
    const source = from ? ` src ${from.address}` : '';
    const sizes = `mtu ${mtu} advmss ${mtu - tcpHeaders}`;
    wanted.set(prefix, {
      mtu,
      line: `${prefix} dev ${link} scope link${source} ${sizes} ${routeMark}`,
    });
  };
  if (multicast) for (const half of halves(Cidr.parse('224.0.0.0/4'))) add(half, least);
  if (narrow.size > mostRoutes) {
    for (const cidr of cidrs) for (const half of halves(cidr)) add(half, least, cidr);
    return wanted;
  }
  for (const [ip, mtu] of narrow) {
    const cidr = cidrs.find((each) => each.contains(parseIp(ip)));
    if (cidr) add(`${ip}/32`, mtu, cidr);
  }
  return wanted;
}

/** A prefix in two parts, either of which goes before the route to the whole. */
function halves({ first, size, prefix }: Cidr): string[] {
  if (prefix === 32) return [];
  return [first, first + size / 2].map((ip) => new Cidr(ip, prefix + 1).toString());
}
