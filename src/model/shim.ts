/**
 * All facts about the shim. Each of its modes has its own folder on the host,
 * `<stateDir>/shim/<mode>`, with one file in it, `w`; one of the folders is bound into a container, at `/w`, so the
 * command always reads `/w/w`, whatever the mode.
 */
export const shimModes = ['multicast', 'wait', 'nowait'] as const;
/** `multicast`: ethwe up with the 224.0.0.0/4 route; `wait`: ethwe up; `nowait`: run at once. */
export type ShimMode = (typeof shimModes)[number];

/** Where the folder goes in a container: the first of these that its user does not use. */
export const shimTargets = ['/w', '/.weavets'] as const;

/** A shim folder mounted in a container. */
export interface ShimBind {
  /** on the host */
  source: string;
  /** in the container */
  target: string;
}

/** Folder on the host that the modes' folders are in. */
export function shimRoot(stateDir: string): string {
  return `${stateDir}/shim`;
}

/** What the shim that is bound does, whatever its state directory; undefined: it is no shim. */
export function shimModeOf({ source }: Pick<ShimBind, 'source'>): ShimMode | undefined {
  return shimModes.find((mode) => source.endsWith(`/shim/${mode}`));
}

/** Folder on the host that is bound into containers for a mode. */
export function shimDirectory(stateDir: string, mode: ShimMode): string {
  return `${shimRoot(stateDir)}/${mode}`;
}

/** The program in a shim folder, on the host or in a container. */
export function shimProgram(folder: string): string {
  return `${folder}/w`;
}

/** True for the first word of a command with the shim in front. */
export function isShimProgram(word: string | undefined): boolean {
  return shimTargets.some((target) => word === shimProgram(target));
}

/** A command line without the shim, as its user gave it. */
export function withoutShim(command: readonly string[]): string[] {
  return isShimProgram(command[0]) ? command.slice(1) : [...command];
}

/** True for a shim folder mounted where the shim goes, whatever its state directory. */
export function isShimBind(source: string, target: string): boolean {
  return shimTargets.some((each) => each === target) && shimModeOf({ source }) !== undefined;
}

/** The shim among a container's mounts, as inspect lists them. */
export function findShim(mounts: readonly { Source?: string; Destination: string }[]): ShimBind | undefined {
  const mount = mounts.find(({ Source = '', Destination }) => isShimBind(Source, Destination));
  return mount && { source: mount.Source ?? '', target: mount.Destination };
}

/** Why the shim found no command to run, where the engine would have failed to start it. */
export interface ShimFinding {
  /** no folder of PATH has it; its path can't be looked at; it is a directory; it must not be run */
  kind: 'path' | 'stat' | 'directory' | 'access';
  /** 0 for `path` */
  errno: number;
}

const findingKinds = { p: 'path', s: 'stat', d: 'directory', a: 'access' } as const;

/**
 * What the shim reports in its process name: `w:ok`, or a letter and an errno.
 * @returns undefined: it has not looked yet
 */
export function parseFinding(name: string): ShimFinding | 'runnable' | undefined {
  if (name === 'w:ok') return 'runnable';
  const [, letter, errno] = /^w:([psda])(\d{1,4})$/.exec(name) ?? [];
  if (letter === undefined) return undefined;
  return { kind: findingKinds[letter as keyof typeof findingKinds], errno: Number(errno) };
}
