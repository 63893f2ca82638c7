import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { natural } from './network.ts';

export interface Column<Row> {
  title: string;
  cell: (row: Row, index: number) => ComponentChildren;
  /** by which it is sorted; absent: it is not */
  sort?: (row: Row) => string;
  class?: string;
}

interface TableInput<Row> {
  label: string;
  columns: readonly Column<Row>[];
  /** in the order in which they are shown unless a column is chosen */
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** of the column that the rows are sorted by as they come */
  sorted?: string;
  empty: string;
}

/** px; the style sheet has the same. */
const rowHeight = 30;
/** Rows beyond the edges of the window, so that the next one to be focused is always there. */
const beyond = 12;

/**
 * A table of any length: of thousands of rows only those are made that can be seen. It scrolls with the page; screen
 * readers are told how many rows there are, and which these are.
 */
export function Table<Row>({ label, columns, rows, keyOf, sorted, empty }: TableInput<Row>) {
  const [order, setOrder] = useState({ title: sorted, up: true });
  const shown = useMemo(() => {
    const by = columns.find(({ title }) => title === order.title)?.sort;
    if (by === undefined || (order.title === sorted && order.up)) return rows;
    const keyed = rows.map((row) => ({ row, key: by(row) }));
    keyed.sort((a, b) => natural.compare(a.key, b.key) * (order.up ? 1 : -1));
    return keyed.map(({ row }) => row);
  }, [rows, order.title, order.up]);
  const body = useRef<HTMLTableSectionElement>(null);
  const { first, last } = useVisible(body, shown.length);
  if (rows.length === 0) return <p class="quiet">{empty}</p>;
  return (
    <table aria-label={label} aria-rowcount={shown.length + 1}>
      <thead>
        <tr aria-rowindex={1}>
          {columns.map(({ title, sort, class: name }) => {
            const isOrder = order.title === title;
            const direction = order.up ? 'ascending' : 'descending';
            const turn = () => setOrder({ title, up: isOrder ? !order.up : true });
            return (
              <th key={title} scope="col" class={name} aria-sort={isOrder ? direction : undefined}>
                {sort ? (
                  <button type="button" onClick={turn}>
                    {title}
                  </button>
                ) : (
                  title
                )}
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody ref={body} onKeyDown={moveFocus}>
        <Gap rows={first} />
        {shown.slice(first, last).map((row, index) => (
          <tr key={keyOf(row)} aria-rowindex={first + index + 2}>
            {columns.map(({ title, cell, class: name }) => (
              <td key={title} class={name}>
                {cell(row, first + index)}
              </td>
            ))}
          </tr>
        ))}
        <Gap rows={shown.length - last} />
      </tbody>
    </table>
  );
}

/** Stands for rows that can't be seen. */
function Gap({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus
    <tr class="gap" aria-hidden="true">
      <td style={{ height: `${rows * rowHeight}px` }} />
    </tr>
  );
}

function useVisible(body: RefObject<HTMLElement | null>, length: number) {
  const [range, setRange] = useState({ first: 0, last: 60 });
  useLayoutEffect(() => {
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / rowHeight) - beyond);
      // Some are there wherever the window is: a screen reader and the keyboard go to them.
      const last = Math.max(first + 2 * beyond, Math.ceil((window.innerHeight - top) / rowHeight) + beyond);
      setRange((range) => (range.first === first && range.last === last ? range : { first, last }));
    };
    look();
    // Where the table is changes with what stands above it, too.
    const sizes = new ResizeObserver(look);
    sizes.observe(document.body);
    window.addEventListener('scroll', look, { passive: true });
    window.addEventListener('resize', look);
    return () => {
      sizes.disconnect();
      window.removeEventListener('scroll', look);
      window.removeEventListener('resize', look);
    };
  }, []);
  const last = Math.min(range.last, length);
  return { first: Math.min(range.first, last), last };
}

/** Up and down go from row to row. */
function moveFocus(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = event.target instanceof HTMLElement ? event.target.dataset.row : undefined;
  if (step === undefined || from === undefined) return;
  event.preventDefault();
  event.currentTarget.querySelector<HTMLElement>(`[data-row="${Number(from) + step}"]`)?.focus();
}
