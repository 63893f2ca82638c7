import { createHash } from 'node:crypto';

/** A value as {@link LmdbStore} keeps it. */
export interface Row {
  value: string;
  revision: number;
  /** of key, value and revision, 16 hex digits; absent in what older versions wrote */
  sum?: string;
}

/** What must be true of all rows together. */
export interface Totals {
  /** of the last commit */
  revision: number;
  /** of rows */
  count: number;
  /** of the rows' sums, exclusive or */
  sum: string;
}

/** Key of the {@link Totals}: before every key of ours, and never listed. */
export const totalsKey = '!totals';

export function makeRow(key: string, value: string, revision: number): Row {
  return { value, revision, sum: sumOf(key, value, revision) };
}

/** True for an undamaged row. */
export function isSound(key: string, row: unknown): row is Required<Row> {
  const { value, revision, sum } = (row ?? {}) as Partial<Row>;
  return typeof value === 'string' && typeof revision === 'number' && sum === sumOf(key, value, revision);
}

export const noTotals: Totals = { revision: 0, count: 0, sum: '0'.repeat(16) };

/** The totals after replacing one row by another; undefined: no row. */
export function replaced(totals: Totals, before: Row | undefined, now: Row | undefined): Totals {
  const sum = [before?.sum, now?.sum].reduce(
    (all, one) => all ^ BigInt(`0x${one ?? 0}`),
    BigInt(`0x${totals.sum}`),
  );
  return {
    revision: totals.revision,
    count: totals.count + Number(now !== undefined) - Number(before !== undefined),
    sum: sum.toString(16).padStart(16, '0'),
  };
}

function sumOf(key: string, value: string, revision: number): string {
  return createHash('sha256')
    .update(JSON.stringify([key, value, revision]))
    .digest('hex')
    .slice(0, 16);
}
