import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { messageOf } from '../lib/errors.ts';

/** Larger files are refused; the container itself can make its own as large as its disk. */
const largest = 1 << 20;
/** How often a write is restarted because someone else wrote meanwhile. */
const attempts = 5;

/**
 * Rewrites one of the engine's files for a container, hosts or resolv.conf, in place, as it is a mount. The container can
 * do anything to the file but replace it: it is opened without waiting (a FIFO, a lease), and only if it is a regular
 * file in the container's folder.
 */
export function rewriteEngineFile(containerId: string, path: string, edit: (text: string) => string): void {
  if (!path.includes(`/${containerId}/`)) {
    throw new Error(`${path || 'its path is unknown, or'} is not the engine's own`);
  }
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const { size, mtimeNs } = check(fd);
      const before = read(fd, Number(size));
      const after = Buffer.from(edit(before.toString('latin1')), 'latin1');
      if (after.equals(before)) return;
      const now = fstatSync(fd, { bigint: true });
      if (now.size !== size || now.mtimeNs !== mtimeNs) continue;
      write(fd, before, after);
      return;
    }
  } catch (error) {
    throw new Error(`cannot write ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function check(fd: number) {
  const stat = fstatSync(fd, { bigint: true });
  if (!stat.isFile()) throw new Error('it is not a regular file');
  if (stat.nlink !== 1n) throw new Error('it has another hard link');
  if (stat.size > largest) throw new Error(`it is larger than ${largest} bytes`);
  return stat;
}

function read(fd: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  return buffer.subarray(0, readSync(fd, buffer, 0, size, 0));
}

/** Never empty, nor shorter than it was until the end: the container may read at any time. */
function write(fd: number, before: Buffer, after: Buffer): void {
  let same = 0;
  while (same < before.length && same < after.length && before[same] === after[same]) same++;
  for (let at = same; at < after.length; ) at += writeSync(fd, after, at, after.length - at, at);
  if (after.length < before.length) ftruncateSync(fd, after.length);
}
