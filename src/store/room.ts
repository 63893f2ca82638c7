import { closeSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { WeaveError } from '../lib/errors.ts';

/** Bytes that must be free, for the first commits and what is laid out beside them. */
const needed = 256 * 1024;
/** More than LMDB makes of it; it cuts the rest off. */
const lockSize = 64 * 1024;

/**
 * LMDB maps its lock file into memory, and a full disk then ends the process by SIGBUS when a page of it is touched
 * that has no block yet. So there has to be room before the store is opened, and the lock has its blocks from the start.
 * @throws WeaveError STORE_UNAVAILABLE
 */
export function ensureRoom(folder: string): void {
  const probe = join(folder, 'room');
  try {
    mkdirSync(folder, { recursive: true });
    writeZeros(probe, needed, 'w');
    unlinkSync(probe);
    writeZeros(join(folder, 'lock.mdb'), lockSize, 'wx');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The lock of before; it may be in use.
    if (code === 'EEXIST') return;
    if (code !== 'EACCES') removeQuietly(probe);
    throw new WeaveError(
      'STORE_UNAVAILABLE',
      `cannot write the state in ${folder}: ${message}; it needs ${needed / 1024} KiB of free disk space`,
      { cause: error },
    );
  }
}

function writeZeros(path: string, size: number, flags: 'w' | 'wx'): void {
  const fd = openSync(path, flags, 0o600);
  try {
    const zeros = Buffer.alloc(size);
    for (let written = 0; written < size; ) written += writeSync(fd, zeros, written);
  } finally {
    closeSync(fd);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not made.
  }
}
