import type { Targets } from '../cluster/targets.ts';
import type { LaunchConfig } from '../config/config.ts';
import type { Attachments } from '../containers/attachments.ts';
import type { ByHand } from '../containers/by-hand.ts';
import { type Exposer, exposeOwner } from '../containers/exposer.ts';
import type { Naming } from '../containers/naming.ts';
import type { Reconciler } from '../containers/reconciler.ts';
import type { PsEntry, WhyEntry } from '../control/contract.ts';
import type { OperationHandlers } from '../control/server.ts';
import type { Lookup } from '../dns/lookup.ts';
import { qualify } from '../dns/names.ts';
import type { SystemNames } from '../dns/system/system-names.ts';
import type { EngineClient } from '../docker/client.ts';
import { hasCode, messageOf, WeaveError } from '../lib/errors.ts';
import type { Cidr } from '../model/address.ts';
import type { Verdict } from '../model/verdict.ts';
import type { Report } from '../report/report.ts';
import { leaseSeconds } from '../store/etcd/lease.ts';
import { clusterOperations } from './cluster-operations.ts';
import type { Door } from './door.ts';
import type { Seat } from './seat.ts';

/** Owner of names that belong to no container. */
const externOwner = 'weave:extern';

/** What carries out the operations of the control socket. */
export interface OperationsDeps {
  reconciler: Reconciler;
  byHand: ByHand;
  attachments: Attachments;
  exposer: Exposer;
  system: Pick<SystemNames, 'state'>;
  naming: Naming;
  lookup: Lookup;
  engine: EngineClient;
  config: LaunchConfig;
  bridgeMac: string;
  seat: Seat;
  door: Door;
  /** hosts that this one was told to connect to */
  targets: Targets;
  /** null: DNS is off */
  dnsIp: () => string | null;
  version: string;
  report: () => Report;
  doctor: () => Promise<Verdict[]>;
  walk: (from: string, to: string) => Promise<Verdict[]>;
  stop: () => void;
}

/** One handler for each operation of the contract. */
export function createOperations(parts: OperationsDeps): OperationHandlers {
  const { reconciler, byHand, attachments, exposer, naming, lookup, engine, config } = parts;
  const addresses = (cidrs: readonly Cidr[]) => ({ addresses: cidrs.map(({ address }) => address) });

  async function containerId(name: string): Promise<string> {
    const info = await engine.inspect(name);
    if (info) return info.id;
    throw new WeaveError('NO_SUCH_CONTAINER', `no container is called ${name}; 'docker ps -a' lists all`);
  }

  async function ps(wanted: readonly string[]): Promise<PsEntry[]> {
    const host = {
      id: exposeOwner,
      name: exposeOwner,
      mac: parts.bridgeMac,
      cidrs: exposer.list().map(String),
    };
    const containers = attachments.list().map(({ info, mac, cidrs }) => ({
      id: info.id,
      name: info.name,
      mac,
      cidrs: cidrs.map(String),
    }));
    if (wanted.length === 0) return [host, ...containers];
    const ids = await Promise.all(wanted.map((name) => (name === exposeOwner ? name : containerId(name))));
    return wanted.flatMap((asked, index) =>
      [host, ...containers].filter(({ id }) => id === ids[index]).map((entry) => ({ asked, ...entry })),
    );
  }

  async function why(): Promise<WhyEntry[]> {
    const running = await engine.list({ all: false });
    return (await Promise.all(running.map(whyOf))).flat();
  }

  async function whyOf({ id, name }: { id: string; name: string }): Promise<WhyEntry[]> {
    try {
      const info = await engine.inspect(id);
      if (!info?.running) return [];
      const reason = reconciler.reason(info);
      const attached = reason === undefined;
      const cidrs = attachments.get(id)?.cidrs.join(' ') ?? '';
      const warnings = attached && config.dns ? naming.warnings(info) : [];
      return [{ id, name: info.name, attached, reason: reason ?? cidrs, warnings }];
    } catch (error) {
      // A container that hangs the engine must not hide the others.
      if (!hasCode(error, 'ENGINE_TIMEOUT')) throw error;
      const attached = attachments.get(id) !== undefined;
      return [{ id, name, attached, reason: messageOf(error), warnings: [] }];
    }
  }

  /** The addresses for a new name: those given, or else the container's own. */
  async function named(input: { container: string | null; ips: string[]; fqdn: string | null }) {
    const owner = input.container === null ? externOwner : await containerId(input.container);
    const attachment = attachments.get(owner);
    const ips = input.ips.length > 0 ? input.ips : (attachment?.cidrs.map(({ address }) => address) ?? []);
    const fqdn = input.fqdn ?? (attachment && qualify(attachment.info.hostname, config.dnsDomain));
    return { owner, ips, fqdn };
  }

  /** @param peer name or nickname of a host that is gone @returns number of addresses */
  async function takeOver(peer: string, { force = false, known = false }): Promise<number> {
    const { cluster, membership } = parts.seat;
    const called = [...(cluster?.nicknames ?? [])].filter(([, nickname]) => nickname === peer);
    if (called.length > 1) {
      const names = called.map(([name]) => name).join(', ');
      throw new WeaveError('USAGE', `several hosts are called ${peer}; choose one of ${names}`);
    }
    const name = called[0]?.[0] ?? peer;
    if (cluster?.isAlive(name) && !force) {
      throw new WeaveError(
        'USAGE',
        `${peer} is up, or was ${leaseSeconds} s ago; if it was just stopped or killed, try again in ${leaseSeconds} s, or use --force; else stop weavets there first`,
      );
    }
    const isMember = cluster?.nicknames.has(name) ?? false;
    const owns = membership?.blocks?.owners().some((part) => part.peer === name) ?? false;
    if (known && !isMember && !owns) {
      throw new WeaveError(
        'USAGE',
        `no host of the cluster is called ${peer}; 'weavets cluster status' lists them`,
      );
    }
    if (isMember) await parts.door.remove(name);
    await cluster?.forget(name);
    const count = (await membership?.blocks?.removePeer(name)) ?? 0;
    return count;
  }

  return {
    ping: async () => {
      const { Ready } = parts.report();
      return { pid: process.pid, version: parts.version, ready: Ready };
    },
    report: async () => parts.report(),
    doctor: () => parts.doctor(),
    walk: ({ from, to }) => parts.walk(from, to),
    ps: ({ containers }) => ps(containers),
    why,
    stop: async () => {
      // After the answer: the client waits for the process to end.
      setImmediate(parts.stop);
      return {};
    },
    attach: async ({ container, requests, dns = true, ...choice }) =>
      addresses(await byHand.attach(container, requests, { dns, ...choice })),
    detach: async ({ container, requests }) => addresses(await byHand.detach(container, requests)),
    expose: async ({ requests, fqdn, masquerade, hostsFile = false }) => {
      const cidrs = await exposer.expose(requests, { fqdn, masquerade, hostsFile });
      return { ...addresses(cidrs), note: parts.system.state.advice };
    },
    hide: async ({ requests }) => addresses(await exposer.hide(requests)),
    dnsAdd: async (input) => {
      const { owner, ips, fqdn } = await named(input);
      if (fqdn === undefined || ips.length === 0) {
        throw new WeaveError(
          'USAGE',
          'nothing to add: the container is not attached, and no address and name were given',
        );
      }
      await naming.add(owner, fqdn, ips);
      return {};
    },
    dnsRemove: async (input) => {
      const owner = input.container === null ? externOwner : await containerId(input.container);
      await naming.remove(owner, input.fqdn ?? undefined, input.ips);
      return {};
    },
    dnsLookup: async ({ name }) => {
      const found = lookup.find(qualify(name, config.dnsDomain));
      return { addresses: [...new Set(found.map(({ address }) => address))] };
    },
    dnsArgs: async () => {
      const address = parts.dnsIp();
      return { args: address === null ? [] : [`--dns=${address}`, `--dns-search=${config.dnsDomain}`] };
    },
    ...clusterOperations(parts),
    rmpeer: async ({ peers, ...how }) => {
      const lines: string[] = [];
      for (const peer of peers) lines.push(`${await takeOver(peer, how)} IPs taken over from ${peer}`);
      return { lines };
    },
  };
}
