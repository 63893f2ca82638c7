import { posix } from 'node:path';
import { isShimBind, shimTargets } from '../../model/shim.ts';
import type { JsonObject } from './body.ts';
import type { Command } from './command.ts';
import { type Image, isInImage } from './image.ts';

/** Determines which paths in a container are its user's. */
export interface PlacementFacts {
  config: JsonObject;
  host: JsonObject;
  image: Image;
  /** mount points of the containers whose volumes it gets */
  inherited: readonly string[];
  command: Command;
  /** `KEY=value`, the image's included */
  env: readonly string[];
}

/**
 * Where in a container the shim goes: the first place that is not its user's. One is that has a mount or the working
 * directory at it or below, which would have to be made in our folder; or that the command comes from; or where the
 * image has something.
 */
export function placeShim(facts: PlacementFacts): string {
  const taken = [...mounted(facts), ...used(facts)].map((path) => posix.normalize(`${path}/`));
  const free = shimTargets.find(
    (target) => !taken.some((path) => path.startsWith(`${target}/`)) && !isInImage(facts.image, target),
  );
  return free ?? shimTargets[shimTargets.length - 1] ?? '/w';
}

/** A bind, parsed: `/target`, `source:/target` or `source:/target:mode`. */
export function partsOf(bind: string): { source: string; target: string } {
  const [first = '', second] = bind.split(':');
  return second === undefined ? { source: '', target: first } : { source: first, target: second };
}

/** True for a bind of the shim's folder, as in a request copied from a container. */
export function bindsShim(bind: string): boolean {
  const { source, target } = partsOf(bind);
  return isShimBind(source, target);
}

function mounted({ config, host, image, inherited }: PlacementFacts): string[] {
  return [
    ...(host.strings('Binds') ?? []).filter((bind) => !bindsShim(bind)).map((bind) => partsOf(bind).target),
    ...host.objects('Mounts').map((mount) => mount.string('Target')),
    ...host.objects('Devices').map((device) => device.string('PathInContainer')),
    ...host.keys('Tmpfs'),
    ...config.keys('Volumes'),
    ...image.volumes,
    ...inherited,
  ];
}

function used({ config, image, command, env }: PlacementFacts): string[] {
  const program = [...(command.entrypoint ?? []), ...(command.cmd ?? [])][0] ?? '';
  const path = env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  return [config.string('WorkingDir') || image.workingDir, program, ...path.split(':')];
}
