import { chmod, chown, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import { editHostsBlock, type HostsEntry } from './hosts-block.ts';

/**
 * Brings our block of a hosts file to these entries; none: takes it away. Another file takes the place of the old one
 * at once, so that a reader sees either whole. @returns whether it was another
 * @throws WeaveError TOOL_FAILED when it can't be written, and then it is as it was
 */
export async function writeHostsBlock(path: string, entries: readonly HostsEntry[]): Promise<boolean> {
  let fresh: string | undefined;
  try {
    // It may be a link, as it is on NixOS.
    const target = await realpath(path);
    const before = await readFile(target, 'latin1');
    const after = editHostsBlock(before, entries);
    if (after === before) return false;
    const { mode, uid, gid } = await stat(target);
    fresh = `${target}.weavets`;
    await rm(fresh, { force: true });
    await writeFile(fresh, after, { encoding: 'latin1', mode: 0o600, flag: 'wx', flush: true });
    await chown(fresh, uid, gid);
    await chmod(fresh, mode & 0o7777);
    await rename(fresh, target);
    return true;
  } catch (error) {
    if (fresh !== undefined) await rm(fresh, { force: true }).catch(() => {});
    const gone = (error as NodeJS.ErrnoException).code === 'ENOENT' && entries.length === 0;
    if (gone) return false;
    throw new WeaveError('TOOL_FAILED', `cannot write the names into ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
