import { lstatSync, opendirSync } from 'node:fs';
import { join } from 'node:path';
import { withoutShim } from '../../model/shim.ts';

/** What an image gives to a container that has none of its own. */
export interface Image {
  /** undefined: none */
  entrypoint: readonly string[] | undefined;
  cmd: readonly string[] | undefined;
  env: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** paths that are volumes in each of its containers */
  volumes: readonly string[];
  workingDir: string;
  /** folders on the engine's host that its files are in, the uppermost first; none where they are stored otherwise */
  layers: readonly string[];
  /** Config.Entrypoint begins with a shim, from a commit without the proxy */
  hasShim: boolean;
}

/** The facts for a container without an image. */
export const noImage: Image = {
  entrypoint: undefined,
  cmd: undefined,
  env: [],
  labels: {},
  volumes: [],
  workingDir: '',
  layers: [],
  hasShim: false,
};

/** The fields of an image inspect answer that matter here: newer engines leave out what is empty, older write null. */
interface ImageBody {
  Config?: {
    Entrypoint?: string[] | null;
    Cmd?: string[] | null;
    Env?: string[] | null;
    Labels?: Record<string, string> | null;
    Volumes?: Record<string, unknown> | null;
    WorkingDir?: string;
  } | null;
  GraphDriver?: { Data?: { UpperDir?: string; LowerDir?: string } | null } | null;
}

/** Reads an image inspect answer. A shim that was committed with a container is not the image's. */
export function toImage(body: string): Image {
  const { Config, GraphDriver } = JSON.parse(body) as ImageBody;
  const config = Config ?? {};
  const { UpperDir = '', LowerDir = '' } = GraphDriver?.Data ?? {};
  const given = config.Entrypoint ?? [];
  const own = withoutShim(given);
  return {
    entrypoint: own.length > 0 ? own : undefined,
    cmd: config.Cmd ?? undefined,
    env: config.Env ?? [],
    labels: config.Labels ?? {},
    volumes: Object.keys(config.Volumes ?? {}),
    workingDir: config.WorkingDir ?? '',
    layers: [UpperDir, ...LowerDir.split(':')].filter((folder) => folder !== ''),
    hasShim: own.length < given.length,
  };
}

/**
 * True if something is at this path below the image's root, as far as can be seen. An empty folder is nothing: a commit
 * of a container with the shim has one.
 */
export function isInImage({ layers }: Image, path: string): boolean {
  for (const layer of layers) {
    try {
      const at = join(layer, path);
      const found = lstatSync(at);
      // So a layer says that it removes what those below have.
      if (found.isCharacterDevice()) return false;
      if (!found.isDirectory() || !isEmpty(at)) return true;
    } catch {
      // Not in this one.
    }
  }
  return false;
}

/** Reads no more of it than it must: an image may have a million files there. */
function isEmpty(folder: string): boolean {
  const open = opendirSync(folder, { bufferSize: 1 });
  try {
    return open.readSync() === null;
  } finally {
    open.closeSync();
  }
}

/** As the engine merges: the image's variables that the request does not name; a bare `KEY` names one, too. */
export function mergeEnv(own: readonly string[], images: readonly string[]): string[] {
  const named = new Set(own.map(keyOf));
  return [...own, ...images.filter((entry) => !named.has(keyOf(entry)))];
}

function keyOf(entry: string): string | undefined {
  return entry.split('=', 1)[0];
}
