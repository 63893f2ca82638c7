import { setTimeout as delay } from 'node:timers/promises';
import type { LaunchConfig } from '../config/config.ts';
import { hasCode, WeaveError } from '../lib/errors.ts';
import type { KeySeal } from '../net/overlay/seal.ts';
import type { Store } from '../store/store.ts';

const key = 'cluster/settings';
/** What the password seals, so that another one is told from it. */
const proof = 'weavets';

/** ms to wait for a name: longer than a lease outlives its host. */
const namePatience = 15_000;
const namePause = 500;

interface Settings {
  range: string;
  /** of the names; absent in what older hosts have set */
  domain?: string;
  /** sealed with the password; null: the cluster is not encrypted */
  proof: string | null;
}

/**
 * Agrees with the cluster on what all of its hosts must share; the first host sets it. A host that was part of the
 * cluster before goes on while etcd is away.
 * @throws WeaveError CLUSTER_MISMATCH, STORE_UNAVAILABLE
 */
export async function agreeOnSettings(
  config: LaunchConfig,
  { shared, local, seal }: { shared: Store; local: Store; seal: KeySeal | null },
): Promise<void> {
  const ours: Settings = {
    range: config.ipallocRange ?? '',
    domain: config.dnsDomain,
    proof: seal?.seal(proof, key) ?? null,
  };
  let theirs: Settings;
  try {
    await shared.commit([{ key, value: JSON.stringify(ours), expect: 0 }]);
    theirs = JSON.parse((await shared.get(key))?.value ?? JSON.stringify(ours)) as Settings;
  } catch (error) {
    const known = hasCode(error, 'STORE_UNAVAILABLE') ? await local.get(key) : undefined;
    if (known === undefined) throw error;
    theirs = JSON.parse(known.value) as Settings;
  }
  check(config, theirs, seal);
  await local.commit([{ key, value: JSON.stringify(theirs) }]);
}

/**
 * Makes sure that no other host has this name: machines that were cloned have one id, and would own the same addresses.
 * A host that was replaced by one at another address keeps the name until its lease ends, which is waited for.
 * @throws WeaveError CLUSTER_MISMATCH
 */
export async function claimName(
  name: string,
  { shared, config, address }: { shared: Store; config: LaunchConfig; address: string },
): Promise<void> {
  const key = `name/${name}`;
  const end = Date.now() + namePatience;
  for (;;) {
    try {
      const entry = await shared.get(key);
      const ours = entry === undefined || entry.value === address;
      const claim = { key, value: address, leased: true, expect: entry?.revision ?? 0 };
      if (ours && (await shared.commit([claim]))) return;
      if (Date.now() > end) {
        throw new WeaveError(
          'CLUSTER_MISMATCH',
          `another host of the cluster at ${config.store}, ${entry?.value}, has the name ${name} of this one; were they cloned? give this one another /etc/machine-id, or launch with --name`,
        );
      }
    } catch (error) {
      // A host goes on while etcd is away.
      if (hasCode(error, 'STORE_UNAVAILABLE')) return;
      throw error;
    }
    await delay(namePause);
  }
}

function check(config: LaunchConfig, theirs: Settings, seal: KeySeal | null): void {
  // A host without a range takes none of the others' addresses, so it need not agree.
  if (config.ipallocRange !== null && theirs.range !== '' && theirs.range !== config.ipallocRange) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      `the cluster at ${config.store} uses the address range ${theirs.range}, and this host ${config.ipallocRange}; launch with --ipalloc-range ${theirs.range}`,
    );
  }
  if (theirs.domain !== undefined && theirs.domain !== config.dnsDomain) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      `the names of the cluster at ${config.store} are in ${theirs.domain}, and this host's in ${config.dnsDomain}; launch with --dns-domain ${theirs.domain}`,
    );
  }
  if ((theirs.proof === null) !== (seal === null)) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      theirs.proof === null
        ? `the cluster at ${config.store} is not encrypted; launch without --password`
        : `the cluster at ${config.store} is encrypted; launch with its --password`,
    );
  }
  try {
    if (theirs.proof !== null) seal?.open(theirs.proof, key);
  } catch (cause) {
    throw new WeaveError('CLUSTER_MISMATCH', `the password is not that of the cluster at ${config.store}`, {
      cause,
    });
  }
}
