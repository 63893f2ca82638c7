import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { LaunchConfig } from '../config/config.ts';
import { WeaveError } from '../lib/errors.ts';
import { runOk } from '../lib/exec.ts';
import { howToInstall, neededTools } from '../lib/tools.ts';
import { Cidr } from '../model/address.ts';
import type { Conditions } from '../model/conditions.ts';
import { type HostNetwork, overlappingRoute } from '../net/host.ts';

/** Checks that every tool for attaching is installed: at launch, not at the first container. */
export async function checkTools(): Promise<void> {
  for (const tool of neededTools) {
    if (await inPath(tool)) continue;
    throw new WeaveError(
      'TOOL_MISSING',
      `'${tool}' is not in PATH (${process.env.PATH}); ${howToInstall(tool)}`,
    );
  }
}

/** True for a program that can be run by its name. */
export async function inPath(tool: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(':');
  const tries = folders.map((folder) => access(join(folder, tool), constants.X_OK));
  return Promise.any(tries).then(
    () => true,
    () => false,
  );
}

/**
 * Makes /proc/sys writable where it is not: the engine mounts it read-only in containers, this daemon's too, and the
 * settings of a container's link are there. The mount is the container's own; the host's stays as it is.
 */
export async function openSysctls(): Promise<void> {
  const writable = await access('/proc/sys/net/ipv4/ip_forward', constants.W_OK).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'EROFS',
  );
  if (!writable) await runOk(['mount', '-o', 'remount,bind,rw', '/proc/sys']);
}

/** Refuses a default range that a route of the host overlaps; for a requested range it is only a condition. */
export function checkRange(config: LaunchConfig, network: HostNetwork, conditions: Conditions): void {
  if (config.ipallocRange === null) return;
  const route = overlappingRoute(Cidr.parse(config.ipallocRange), network);
  if (route !== undefined && !config.ipallocRangeGiven) {
    throw new WeaveError(
      'RANGE_OVERLAPS',
      `the address range ${config.ipallocRange} overlaps the host's route ${route}; choose a free one with --ipalloc-range, such as 10.128.0.0/12`,
    );
  }
  conditions.update('RANGE_OVERLAPS', overlapText(config, network));
}

/** The text for a host route that overlaps the range, made before the launch or since; undefined: none. */
export function overlapText(config: LaunchConfig, network: HostNetwork): string | undefined {
  if (config.ipallocRange === null) return undefined;
  const route = overlappingRoute(Cidr.parse(config.ipallocRange), network);
  if (route === undefined) return undefined;
  return `the host's route ${route} overlaps the address range ${config.ipallocRange}, so containers can't reach addresses of that route, nor the host theirs: remove the route (a Docker network: docker network rm), or launch all hosts again with another --ipalloc-range`;
}
