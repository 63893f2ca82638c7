import type { LaunchConfig } from '../control/contract.ts';
import { hasCode, WeaveError } from '../lib/errors.ts';
import type { KeySeal } from '../net/seal.ts';
import type { Store } from '../store/store.ts';

const key = 'cluster/settings';
/** What the password seals, so that another one is told from it. */
const proof = 'weavets';

interface Settings {
  range: string;
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
  const ours: Settings = { range: config.ipallocRange, proof: seal?.seal(proof, key) ?? null };
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

function check(config: LaunchConfig, theirs: Settings, seal: KeySeal | null): void {
  if (theirs.range !== config.ipallocRange) {
    throw new WeaveError(
      'CLUSTER_MISMATCH',
      `the cluster at ${config.store} uses the address range ${theirs.range}, and this host ${config.ipallocRange}; launch with --ipalloc-range ${theirs.range}`,
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
