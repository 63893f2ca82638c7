import type { LaunchConfig } from './config.ts';
import { type LaunchOption, launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';

/** Notes about flags that were accepted but have no effect here. */
export function launchNotes(args: Args<typeof launchOptions>, { store }: LaunchConfig): string[] {
  const given = Object.entries<LaunchOption>(launchOptions).filter(([name]) => {
    const value = args[name as keyof typeof launchOptions];
    return value !== undefined && value !== false;
  });
  const alone = store === 'lmdb' ? given.filter(([, { betweenHosts }]) => betweenHosts) : [];
  const shown = given.filter(
    ([name, { secret }]) => secret && holdsSecret(name, String(args[name as keyof typeof launchOptions])),
  );
  return [
    ...shown.map(
      ([name]) => `other users of this host may have seen --${name} in the process list; use --${name}-file`,
    ),
    ...alone.map(([name]) => `--${name} has no effect on a single host (--store lmdb)`),
    ...given.flatMap(([name, { noEffect }]) =>
      noEffect === undefined ? [] : `--${name} has no effect: ${noEffect}`,
    ),
  ];
}

/** A user of etcd without password is none, and a token is worthless soon. */
function holdsSecret(name: string, value: string): boolean {
  if (name === 'join') return false;
  return name !== 'etcd-user' || value.includes(':');
}
