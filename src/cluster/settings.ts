import { randomBytes } from 'node:crypto';
import type { LaunchConfig } from '../config/config.ts';
import { hasCode, WeaveError } from '../lib/errors.ts';
import { Cidr } from '../model/address.ts';
import type { Hostname } from '../model/names.ts';
import { KeySeal } from '../net/overlay/seal.ts';
import { movedRecord, type Settings, settingsRecord } from '../store/records/settings.ts';
import type { Entry, Store } from '../store/store.ts';

/** Where they are kept, in both stores. */
export const settingsKey = settingsRecord.keyOf('settings');
/** A text sealed with the password, to recognise a wrong one. */
const proof = 'weavets';

/**
 * Agrees with the cluster on the settings that all hosts share; the first host sets them. A host that was part of the
 * cluster before goes on while etcd is away.
 * @returns what seals the hosts' keys; null: the cluster is not encrypted
 * @throws WeaveError CLUSTER_MISMATCH, STORE_UNAVAILABLE
 */
export async function agreeOnSettings(
  config: LaunchConfig,
  { shared, local }: { shared: Store; local: Store },
): Promise<KeySeal | null> {
  const { settings, seal } = await read(config, shared).catch(async (error: unknown) => {
    const known = hasCode(error, 'STORE_UNAVAILABLE') ? await local.get(settingsKey) : undefined;
    if (known === undefined) throw error;
    return check(config, known);
  });
  await local.commit([settingsRecord.write('settings', settings)]);
  return seal;
}

/** What all hosts of the cluster share; undefined: no host has set it yet. @throws WeaveError STORE_UNAVAILABLE */
export async function findSettings(shared: Store): Promise<Settings | undefined> {
  const entry = await shared.get(settingsKey);
  const parsed = entry && settingsRecord.parse(entry);
  return typeof parsed === 'object' ? parsed.value : undefined;
}

/** Where the cluster is now that was in this store, and how to get there; undefined: it is here. */
export function whereMoved(entry: Entry | undefined): string | undefined {
  const parsed = entry && movedRecord.parse(entry);
  if (typeof parsed !== 'object') return undefined;
  const { to, host } = parsed.value.moved;
  return to === null
    ? `the cluster of this etcd has moved to one that weavets runs; launch without --store, by the line that 'weavets cluster token' prints on ${host}`
    : `the cluster of this etcd has moved to ${to}; launch with --store ${to}`;
}

async function read(config: LaunchConfig, shared: Store) {
  for (;;) {
    const entry = await shared.get(settingsKey);
    if (entry === undefined) {
      const first = await firstSettings(config);
      const write = settingsRecord.write('settings', first.settings, { expect: 0 });
      if (await shared.commit([write])) return first;
      continue;
    }
    const checked = await check(config, entry);
    // Rewritten, so that a last host leaving at this moment does not remove them.
    if (await shared.commit([settingsRecord.amend(entry, checked.settings)])) return checked;
  }
}

async function firstSettings(config: LaunchConfig): Promise<{ settings: Settings; seal: KeySeal | null }> {
  const salt = randomBytes(16).toString('base64');
  const seal = config.password === null ? null : await KeySeal.derive(config.password, salt);
  const settings = {
    range: rangeOf(config),
    domain: config.dnsDomain as Hostname,
    proof: seal?.seal(proof, settingsKey) ?? null,
    salt,
  };
  return { settings, seal };
}

async function check(
  config: LaunchConfig,
  entry: Entry,
): Promise<{ settings: Settings; seal: KeySeal | null }> {
  const parsed = settingsRecord.parse(entry);
  if (typeof parsed === 'string') {
    const moved = whereMoved(entry);
    if (moved !== undefined) throw new WeaveError('CLUSTER_MISMATCH', moved);
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      `the settings of the cluster at ${config.store} are malformed (${parsed}), or of an older weavets; when no host of it runs, remove them with: etcdctl del /weavets/${settingsKey}`,
    );
  }
  const { value: settings } = parsed;
  // A host without a range takes none of the others' addresses, so it need not agree.
  const range = settings.range ?? rangeOf(config);
  if (config.ipallocRange !== null && String(range) !== String(rangeOf(config))) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      `the cluster at ${config.store} uses the address range ${range}, and this host ${config.ipallocRange}; launch with --ipalloc-range ${range}`,
    );
  }
  if (settings.domain !== config.dnsDomain) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      `the names of the cluster at ${config.store} are in ${settings.domain}, and this host's in ${config.dnsDomain}; launch with --dns-domain ${settings.domain}`,
    );
  }
  if ((settings.proof === null) !== (config.password === null)) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      settings.proof === null
        ? `the cluster at ${config.store} is not encrypted; launch without --password`
        : `the cluster at ${config.store} is encrypted; launch with its --password`,
    );
  }
  const agreed = { ...settings, range };
  if (settings.proof === null || config.password === null) return { settings: agreed, seal: null };
  const seal = await KeySeal.derive(config.password, settings.salt);
  try {
    seal.open(settings.proof, settingsKey);
  } catch (cause) {
    throw new WeaveError('CLUSTER_MISMATCH', `the password is not that of the cluster at ${config.store}`, {
      cause,
    });
  }
  return { settings: agreed, seal };
}

const rangeOf = ({ ipallocRange }: LaunchConfig) => (ipallocRange === null ? null : Cidr.parse(ipallocRange));
