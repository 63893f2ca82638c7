import { readFile } from 'node:fs/promises';

/** How full the kernel's table of neighbours is: of all network namespaces together. */
export interface NeighbourUse {
  entries: number;
  /** how often there was no room for another, since the machine started */
  refused: number;
}

/** @returns undefined where only the machine's own network namespace would show it */
export async function neighbourUse(path = '/proc/net/stat/arp_cache'): Promise<NeighbourUse | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const [head = '', ...rows] = text?.trim().split('\n') ?? [];
  const columns = head.trim().split(/\s+/);
  const [entries, refused] = [columns.indexOf('entries'), columns.indexOf('table_fulls')];
  if (entries < 0 || refused < 0 || rows.length === 0) return undefined;
  // A row for each processor: the entries are those of all, what was counted is its own.
  const cells = rows.map((row) =>
    row
      .trim()
      .split(/\s+/)
      .map((cell) => Number.parseInt(cell, 16)),
  );
  return {
    entries: cells[0]?.[entries] ?? 0,
    refused: cells.reduce((sum, row) => sum + (row[refused] ?? 0), 0),
  };
}
