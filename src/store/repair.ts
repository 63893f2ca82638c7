import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WeaveError } from '../lib/errors.ts';
import { run } from '../lib/exec.ts';
import { packageRoot } from '../lib/package-root.ts';
import { isClean } from './clean-mark.ts';
import { LmdbStore } from './lmdb.ts';
import { isSound, noTotals, type Row, replaced, type Totals, totalsKey } from './row.ts';
import type { Entry } from './store.ts';

/** What a repair found. */
export interface Damage {
  /** undamaged rows */
  sound: number;
  /** where the damaged store is kept */
  keptAt: string;
}

/** What is printed first: without it nothing was looked at, and nothing may be taken for lost. */
const beginning = 'begin';
/** ms for reading a store; a damaged one may lead in circles */
const patience = 60_000;

/** The file that reads it: bundled when this is. */
const salvage = join(
  packageRoot,
  import.meta.filename.endsWith('.ts') ? 'src/store/salvage.ts' : 'dist/store/salvage.js',
);

/**
 * Makes sure that a store can be opened: one that was closed as it is now, it is. Of any other, what is sound is
 * written into a new file; and if that is not all, the old one is put aside. Before this LMDB must not touch it.
 * @param path its folder
 * @returns undefined: nothing is lost
 */
export async function repairStore(path: string): Promise<Damage | undefined> {
  const fresh = `${path}.new`;
  // Interrupted between the two renames below.
  if (!existsSync(path) && existsSync(fresh)) await rename(fresh, path);
  if (!existsSync(join(path, 'data.mdb')) || isClean(path)) return undefined;
  const { entries, complete } = await readSound(path);
  await LmdbStore.create(fresh, entries);
  const keptAt = `${path}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  await rename(path, keptAt);
  await rename(fresh, path);
  if (!complete) return { sound: entries.length, keptAt };
  await rm(keptAt, { recursive: true });
  return undefined;
}

async function readSound(path: string): Promise<{ entries: Entry[]; complete: boolean }> {
  const argv = [process.execPath, ...process.execArgv, salvage, path] as const;
  const { code, stdout, stderr } = await run(argv, { deadline: patience });
  const [first, ...lines] = stdout.split('\n').slice(0, -1);
  if (first !== beginning) {
    throw new WeaveError(
      'STATE_CORRUPT',
      `cannot read the state in ${path}: ${stderr.trim() || `exit ${code}`}; move that folder away and launch again; running containers keep their addresses`,
    );
  }
  const read = lines.map(parse);
  const rows = new Map<string, Row>();
  let totals: Totals | undefined;
  for (const [key, row] of read) {
    if (key === totalsKey) totals = row as Totals;
    else if (key !== undefined && isSound(key, row)) rows.set(key, row);
  }
  const old = totals === undefined && rows.size === 0 ? withoutSums(read) : undefined;
  if (old) return { entries: old, complete: code === 0 };
  let found = noTotals;
  for (const row of rows.values()) found = replaced(found, undefined, row);
  const complete = code === 0 && totals?.count === found.count && totals.sum === found.sum;
  const entries = [...rows].map(([key, { value, revision }]) => ({ key, value, revision }));
  return { entries, complete };
}

/** The rows of a store that was written before rows had sums; undefined: it was not. */
function withoutSums(read: readonly [key?: string, row?: unknown][]): Entry[] | undefined {
  if (!read[0]?.[0]?.endsWith('revision')) return undefined;
  return read.slice(1).flatMap(([key, row]) => {
    const { value, revision } = (row ?? {}) as Partial<Row>;
    return key !== undefined && value !== undefined && revision !== undefined
      ? [{ key, value, revision }]
      : [];
  });
}

/** @returns nothing for a row that can't be read */
function parse(line: string): [key?: string, row?: unknown] {
  try {
    const [key, text] = JSON.parse(line) as [string, string];
    return [key, JSON.parse(text)];
  } catch {
    return [];
  }
}

/** Says where the damaged store is. */
export function damageText({ sound, keptAt }: Damage): string {
  return `the state of this host was damaged: ${sound} records could be read, and the rest is recovered from running containers; the damaged files are kept in ${keptAt} until you remove them (${basename(keptAt)})`;
}
