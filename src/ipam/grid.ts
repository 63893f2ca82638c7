import { formatIp, type Ip4, parseIp } from '../model/address.ts';
import { blockRecord } from '../store/records/block.ts';
import type { Range } from './space.ts';

/** Addresses whose ownership is one key of the store, so that no two writes can overlap unseen. */
export const gridSize = 256;

/** First address of the grid cell that has this address. */
export const cellOf = (ip: Ip4): Ip4 => ip - (ip % gridSize);

/** Key of a cell, in the shared store and in the local one. */
export const cellKey = (cell: Ip4): string => blockRecord.keyOf(formatIp(cell));

/** The cell of a key; undefined: it is the key of none. */
export function keyCell(key: string): Ip4 | undefined {
  const first = blockRecord.parseKey(key);
  return first === undefined ? undefined : parseIp(first);
}

/** Addresses that one host may give. */
export interface Part extends Range {
  /** name of the host */
  peer: string;
}

/** Whose each of the 256 addresses of a cell is; undefined: nobody's. */
export type Slots = (string | undefined)[];

/** Stands for the owners of a cell whose record is malformed: nobody takes any of it, or gives any of it away. */
export const unreadable = '?';

/**
 * Reads a cell: `{"0-127":"<peer>","128-255":"<peer>"}`, offsets from its first address.
 * @returns all of it as {@link unreadable} when the record is malformed
 */
export function parseCell(cell: Ip4, value: string | undefined): Part[] {
  if (value === undefined) return [];
  const parsed = blockRecord.parse({ key: cellKey(cell), value });
  if (typeof parsed === 'string') return [{ first: cell, last: cell + gridSize - 1, peer: unreadable }];
  return Object.entries(parsed.value).map(([span, peer]) => {
    const [from = 0, to = 0] = span.split('-').map(Number);
    return { first: cell + from, last: cell + to, peer };
  });
}

/** Also of a cell that is nobody's by now: a store without it would be one that was set back. */
export function formatCell(cell: Ip4, slots: Slots): string {
  const spans = partsOf(cell, slots).map(({ first, last, peer }) => [`${first - cell}-${last - cell}`, peer]);
  return JSON.stringify(Object.fromEntries(spans));
}

export function slotsOf(cell: Ip4, parts: readonly Part[]): Slots {
  const slots: Slots = new Array(gridSize).fill(undefined);
  for (const { first, last, peer } of parts) slots.fill(peer, first - cell, last - cell + 1);
  return slots;
}

/** Gives each address of a cell the owner that `decide` says. @returns how many changed */
export function rewrite(
  cell: Ip4,
  slots: Slots,
  decide: (owner: string | undefined, ip: Ip4) => string | undefined,
): number {
  let changed = 0;
  for (const [i, before] of slots.entries()) {
    const after = decide(before, cell + i);
    if (after !== before) changed++;
    slots[i] = after;
  }
  return changed;
}

/** Runs of equal owners, ascending. */
export function partsOf(cell: Ip4, slots: Slots): Part[] {
  const parts: Part[] = [];
  for (const [i, peer] of slots.entries()) {
    if (peer === undefined) continue;
    const before = parts.at(-1);
    if (before?.peer === peer && before.last === cell + i - 1) before.last++;
    else parts.push({ first: cell + i, last: cell + i, peer });
  }
  return parts;
}

/** Joins neighbours of one owner; `parts` ascending. */
export function merge(parts: Iterable<Part>): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    const before = merged.at(-1);
    if (before?.peer === part.peer && before.last === part.first - 1) before.last = part.last;
    else merged.push({ ...part });
  }
  return merged;
}
