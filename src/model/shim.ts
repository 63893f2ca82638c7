/**
 * The shim's modes. Each has a folder of its own on the host, `<stateDir>/shim/<mode>/w`, of which one is bound at
 * /w of a container; so the command always reads `/w/w`, whatever the mode.
 */
export const shimModes = ['multicast', 'wait', 'nowait'] as const;
/** `multicast`: ethwe up with the 224.0.0.0/4 route; `wait`: ethwe up; `nowait`: run at once. */
export type ShimMode = (typeof shimModes)[number];

/** Folder on the host that is bound at /w for a mode. */
export function shimDirectory(stateDir: string, mode: ShimMode): string {
  return `${stateDir}/shim/${mode}`;
}
