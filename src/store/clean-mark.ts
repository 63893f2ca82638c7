import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const markOf = (folder: string) => join(folder, 'clean');
const dataOf = (folder: string) => join(folder, 'data.mdb');

/** Notes that the store was closed, and what its file was then. Best effort: without it, the file is looked through. */
export function markClean(folder: string): void {
  try {
    if (existsSync(dataOf(folder))) writeFileSync(markOf(folder), sumOf(folder), { mode: 0o600 });
  } catch {
    unmarkClean(folder);
  }
}

/** Called before anything is written. */
export function unmarkClean(folder: string): void {
  rmSync(markOf(folder), { force: true });
}

/** True when the file is to the byte what it was when it was closed. */
export function isClean(folder: string): boolean {
  return existsSync(markOf(folder)) && readFileSync(markOf(folder), 'utf8') === sumOf(folder);
}

function sumOf(folder: string): string {
  return createHash('sha256')
    .update(readFileSync(dataOf(folder)))
    .digest('hex');
}
