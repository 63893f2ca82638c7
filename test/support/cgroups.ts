import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

const root = '/sys/fs/cgroup';
/** Where containers are listed in an engine's folder, and what the engine calls their control groups. */
const engines = [
  { containers: 'containers', group: (id: string) => `docker/${id}` },
  { containers: 'storage/overlay-containers', group: (id: string) => `libpod_parent/libpod-${id}` },
];

/**
 * Removes the control groups of containers that ended with their host: no engine is left that would.
 * @param engineDir what was the engine's /var/lib/docker
 */
export async function removeCgroups(engineDir: string): Promise<void> {
  const list = (folder: string) => readdir(folder).catch(() => []);
  // Those of version 2 are at the root itself.
  const trees = [root, ...(await list(root)).map((name) => join(root, name))];
  for (const { containers, group } of engines) {
    for (const id of await list(join(engineDir, containers)))
      for (const tree of trees) await rmdir(join(tree, group(id))).catch(() => {});
  }
}
