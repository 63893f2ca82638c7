import type { LaunchConfig } from './config.ts';
import { type LaunchOption, launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';

/** What a person should know of flags that were accepted, and do nothing here. */
export function launchNotes(args: Args<typeof launchOptions>, { store }: LaunchConfig): string[] {
  const given = Object.entries<LaunchOption>(launchOptions).filter(([name]) => {
    const value = args[name as keyof typeof launchOptions];
    return value !== undefined && value !== false;
  });
  const alone = store === 'lmdb' ? given.filter(([, { betweenHosts }]) => betweenHosts) : [];
  return [
    ...alone.map(([name]) => `--${name} matters between hosts only, and this one is alone (--store lmdb)`),
    ...given.flatMap(([name, { noEffect }]) =>
      noEffect === undefined ? [] : `--${name} has no effect: ${noEffect}`,
    ),
  ];
}
