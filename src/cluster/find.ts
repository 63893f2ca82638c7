import { X509Certificate } from 'node:crypto';
import type { LaunchConfig } from '../config/config.ts';
import { splitJoin } from '../config/join.ts';
import { readAuthority } from '../etcd/files.ts';
import { askToJoin, type Credential } from '../etcd/join/client.ts';
import type { JoiningHost, Welcome } from '../etcd/join/messages.ts';
import { fingerprintOf, parseToken } from '../etcd/join/token.ts';
import { readNetworkFile } from '../etcd/network-file.ts';
import { hasCode, messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { splitHostPort } from '../model/endpoint.ts';
import { membersOf } from '../model/members.ts';
import { joinPort } from '../model/ports.ts';
import type { EtcdStore } from '../store/etcd/etcd.ts';
import type { Store } from '../store/store.ts';
import { asKept, dropKept, keepWelcome } from './managed.ts';
import { movedKey } from './members.ts';
import { isSameCluster } from './moved.ts';
import { connectStore } from './overlay.ts';

/**
 * How a host stands to a cluster when it is launched. `known`: it is part of one, as it or its flags say; `joined`: it
 * was let in just now; `sought`: it was told of hosts of which none has let it in yet; `alone`: it is to be in none.
 */
export type Way = 'known' | 'joined' | 'sought' | 'alone';

/** What {@link findCluster} needs. */
export interface FindOptions {
  config: LaunchConfig;
  /** the same with the store that `--resume` goes on with; absent: there is none */
  resumed?: LaunchConfig;
  /** this host's own store */
  local?: Store;
  /** where what is kept of a managed cluster lies */
  folder: string;
  self: JoiningHost | undefined;
  /** hosts that may know one */
  targets: readonly string[];
  logger: Logger;
  signal?: AbortSignal;
  /** Refuses a cluster that this host can't be part of as it is, by throwing; absent: it takes any. */
  check?: (welcome: Welcome) => void;
}

/**
 * Finds this host's cluster: the one that its flags name, the one that it was part of, or the one that a host lets it
 * into.
 * @returns with the config that goes with it
 * @throws WeaveError USAGE, JOIN_REFUSED; JOIN_UNREACHABLE by a token
 */
export async function findCluster(options: FindOptions): Promise<{ config: LaunchConfig; way: Way }> {
  const { config, folder, targets, local } = options;
  const kept = (await hasMovedTo(options)) ? undefined : await asKept(folder, config);
  if (kept && config.store !== 'lmdb' && !(await cameFrom(folder, config.store))) {
    throw new WeaveError(
      'USAGE',
      "this host is part of a cluster with an etcd of weavets' own; --store would take it out of that: leave it out, or 'weavets cluster leave' first",
    );
  }
  if (kept) {
    await checkSameCluster(config, folder);
    return { config: kept, way: 'known' };
  }
  // One that was begun but never completed, whose etcd may still run.
  await dropKept(folder);
  const { resumed = config } = options;
  if (resumed.store !== 'lmdb') return { config: resumed, way: 'known' };
  if (config.join !== null) {
    const { token, host } = splitJoin(config.join);
    const welcome = await ask(options, host, { kind: 'token', ...parseToken(token) });
    if (welcome !== 'wait') return { config: await keep(options, welcome), way: 'joined' };
    throw new WeaveError(
      'JOIN_REFUSED',
      `${host} is in no cluster yet; 'weavets cluster init' there makes one`,
    );
  }
  const moved = (await local?.get(movedKey))?.value;
  if (targets.length === 0 && moved !== undefined) {
    throw new WeaveError(
      'USAGE',
      `this host's cluster is at ${moved}: launch with --store ${moved}; to be alone, 'weavets reset' first`,
    );
  }
  if (targets.length === 0) return { config, way: 'alone' };
  if (credentialOf(config) === undefined) throw nothingToShow(targets);
  const joined = await askAll(options);
  return joined ? { config: joined, way: 'joined' } : { config, way: 'sought' };
}

/**
 * Asks each of the hosts once.
 * @returns the config of the cluster that one let this host into; undefined: none answers, or all look themselves
 * @throws WeaveError JOIN_REFUSED when one refused and no other let it in
 */
export async function askAll(options: FindOptions): Promise<LaunchConfig | undefined> {
  const by = credentialOf(options.config);
  if (by === undefined) return undefined;
  let refused: unknown;
  for (const host of options.targets) {
    try {
      const welcome = await ask(options, host, by);
      if (welcome !== 'wait') return await keep(options, welcome);
    } catch (error) {
      options.logger.info({ host, reason: messageOf(error) }, 'not let in by this host');
      if (hasCode(error, 'JOIN_REFUSED')) refused ??= error;
      else if (!hasCode(error, 'JOIN_UNREACHABLE')) throw error;
    }
  }
  if (refused) throw refused;
  return undefined;
}

/** The advice to a host with no means to join these. */
export function nothingToShow(targets: readonly string[]): WeaveError {
  const [first = 'HOST'] = targets;
  return new WeaveError(
    'USAGE',
    `to join ${targets.join(', ')} this host must show that it may: --password, the same as there; or --join TOKEN@${first}, with a token that 'weavets cluster token' prints there; or --open, where every host is launched so`,
  );
}

/** How a host may join those it was told of; undefined: it has no means to. */
export function credentialOf({ password, open }: LaunchConfig): Credential | undefined {
  if (password !== null) return { kind: 'password', password };
  return open ? { kind: 'open' } : undefined;
}

/** @param host `HOST` or `HOST:PORT` */
export function ask({ self, signal }: FindOptions, host: string, by: Credential): Promise<Welcome | 'wait'> {
  if (self === undefined) {
    throw new WeaveError(
      'LAUNCH_FAILED',
      'this host has no IPv4 address that others could reach; set its network up first',
    );
  }
  return askToJoin({ ...splitHostPort(host, joinPort), by, self, signal });
}

async function keep({ config, folder, self, check }: FindOptions, welcome: Welcome): Promise<LaunchConfig> {
  check?.(welcome);
  await keepWelcome(folder, { welcome, config, self: self as JoiningHost });
  return (await asKept(folder, config)) as LaunchConfig;
}

/** True when the cluster was moved here from that store, which launch's flags may still name. */
async function cameFrom(folder: string, store: string): Promise<boolean> {
  const { from } = (await readNetworkFile(folder)) ?? {};
  return from !== undefined && membersOf(from).some((member) => membersOf(store).includes(member));
}

/** True when the cluster that this host keeps has moved to the etcd that its flags name. @throws WeaveError STORE_UNAVAILABLE */
async function hasMovedTo({ config, folder, local, logger }: FindOptions): Promise<boolean> {
  if (local === undefined || config.store === 'lmdb') return false;
  if ((await asKept(folder, config)) === undefined || (await cameFrom(folder, config.store))) return false;
  const shared = (await connectStore(config, logger)) as EtcdStore;
  try {
    const has = await isSameCluster(shared, local);
    if (has) await local.commit([{ key: movedKey, value: config.store }]);
    return has;
  } finally {
    await shared.close();
  }
}

/** A token of this very cluster asks for what is already the case. @throws WeaveError USAGE for another's */
async function checkSameCluster({ join }: LaunchConfig, folder: string): Promise<void> {
  if (join === null) return;
  const authority = await readAuthority(folder);
  const { fingerprint } = parseToken(splitJoin(join).token);
  if (authority && fingerprintOf(new X509Certificate(authority.cert).raw) === fingerprint) return;
  throw new WeaveError(
    'USAGE',
    "--join: this host is part of another cluster; 'weavets cluster leave' takes it out of that",
  );
}
