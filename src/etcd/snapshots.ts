import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdFiles } from './files.ts';
import type { Members } from './members.ts';

/** Those that are kept, the newest. */
const kept = 14;

/** This host's snapshots of etcd, the newest first. */
export async function listSnapshots(folder: string): Promise<{ path: string; at: Date }[]> {
  const { snapshots } = etcdFiles(folder);
  const names = (await readdir(snapshots).catch(() => [])).filter((name) => name.endsWith('.db'));
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(snapshots, name);
      return { path, at: (await stat(path)).mtime };
    }),
  );
  return found.sort((a, b) => b.at.getTime() - a.at.getTime());
}

/** Makes one now, and drops the oldest. @throws WeaveError STORE_UNAVAILABLE */
export async function takeSnapshot(folder: string, members: Pick<Members, 'snapshot'>): Promise<void> {
  const { snapshots } = etcdFiles(folder);
  await mkdir(snapshots, { recursive: true, mode: 0o700 });
  const name = `${new Date().toISOString().replaceAll(':', '-')}.db`;
  await members.snapshot(join(snapshots, name));
  for (const { path } of (await listSnapshots(folder)).slice(kept)) await rm(path, { force: true });
}
