import type { LaunchConfig } from './config.ts';
import type { launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';

type Flag = keyof typeof launchOptions;

/** Flags that only several hosts give a meaning to. */
const betweenHosts: readonly Flag[] = ['host', 'password', 'resume', 'trusted-subnets'];

/** Flags that Weave Net's scripts have, and what stands in their place. */
const withoutEffect: Partial<Record<Flag, string>> = {
  'no-restart': "only systemd restarts weavets, by 'weavets install-service'",
  plugin: 'there is no plugin; the proxy attaches containers',
  'ipalloc-init': 'hosts agree on addresses through etcd',
  'no-discovery': 'hosts find each other through etcd',
  'conn-limit': 'there is no limit',
};

/** What a person should know of flags that were accepted, and do nothing here. */
export function launchNotes(args: Args<typeof launchOptions>, { store }: LaunchConfig): string[] {
  const isGiven = (flag: Flag) => args[flag] !== undefined && args[flag] !== false;
  const alone = store === 'lmdb' ? betweenHosts.filter(isGiven) : [];
  return [
    ...alone.map((flag) => `--${flag} matters between hosts only, and this one is alone (--store lmdb)`),
    ...(Object.entries(withoutEffect) as [Flag, string][])
      .filter(([flag]) => isGiven(flag))
      .map(([flag, why]) => `--${flag} has no effect: ${why}`),
  ];
}
