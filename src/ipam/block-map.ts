import type { Cidr, Ip4 } from '../model/address.ts';
import type { Entry } from '../store/store.ts';
import {
  cellOf,
  gridSize,
  keyCell,
  merge,
  type Part,
  parseCell,
  type Slots,
  slotsOf,
  unreadable,
} from './grid.ts';
import type { Range } from './space.ts';

/**
 * Addresses that a host takes of a subnet at once: 256 of a large one; of a small one so few that 16 hosts get some.
 */
export const chunkOf = (subnet: Cidr): number => Math.min(Math.max(subnet.size / 16, 1), gridSize);

/** The addresses of a subnet that can be given: all but its first and last. */
export const giveable = (subnet: Cidr): Range => ({ first: subnet.first + 1, last: subnet.last - 1 });

interface Cell {
  parts: Part[];
  revision: number;
}

/** Who owns what, as last heard of the shared store. May be behind; whatever is done by it is checked by the store. */
export class BlockMap {
  readonly #cells = new Map<Ip4, Cell>();

  /** Takes over what the store holds, all of it. */
  reset(entries: readonly Entry[]): void {
    this.#cells.clear();
    for (const { key, value, revision } of entries) {
      const cell = keyCell(key);
      if (cell !== undefined) this.note(cell, value, revision);
    }
  }

  /** Takes over what was read beside the changes heard; of a key that changed since, the change counts. */
  merge(entries: readonly Entry[]): void {
    const read = Math.max(0, ...entries.map(({ revision }) => revision));
    const newer = [...this.#cells].filter(([, { revision }]) => revision > read);
    this.reset(entries);
    for (const [cell, known] of newer) this.#cells.set(cell, known);
  }

  /** Nobody owns any of the cell. */
  forget(cell: Ip4): void {
    this.#cells.delete(cell);
  }

  /** @param value null: nobody owns any of the cell */
  note(cell: Ip4, value: string | null, revision: number): void {
    if ((this.#cells.get(cell)?.revision ?? 0) > revision) return;
    if (value === null) this.#cells.delete(cell);
    else this.#cells.set(cell, { parts: parseCell(cell, value), revision });
  }

  slots(cell: Ip4): Slots {
    return slotsOf(cell, this.#cells.get(cell)?.parts ?? []);
  }

  /** Cells of which a host owns something. */
  cellsOf(peer: string): Ip4[] {
    return [...this.#cells].flatMap(([cell, { parts }]) =>
      parts.some((part) => part.peer === peer) ? [cell] : [],
    );
  }

  /** All parts, ascending, neighbours of one owner joined. */
  parts(): Part[] {
    const cells = [...this.#cells].sort(([a], [b]) => a - b);
    return merge(cells.flatMap(([, { parts }]) => parts));
  }

  /** Owners of addresses of a range; who has most comes first. */
  ownersIn({ first, last }: Range): string[] {
    const sizes = new Map<string, number>();
    for (const { parts } of this.#cells.values()) {
      for (const part of parts) {
        const size = Math.min(part.last, last) - Math.max(part.first, first) + 1;
        if (size > 0) sizes.set(part.peer, (sizes.get(part.peer) ?? 0) + size);
      }
    }
    sizes.delete(unreadable);
    return [...sizes].sort(([, a], [, b]) => b - a).map(([peer]) => peer);
  }

  /** Pieces of a subnet to take next: those that are nobody's, lowest first; then those that partly are. */
  *freePieces(subnet: Cidr): Generator<Range> {
    const chunk = chunkOf(subnet);
    const { first, last } = giveable(subnet);
    const partial: Range[] = [];
    for (let cell = cellOf(first); cell <= last; cell += gridSize) {
      const [part] = this.#cells.get(cell)?.parts ?? [];
      if (part && part.last - part.first + 1 === gridSize) continue;
      const slots = this.slots(cell);
      for (let at = cell; at < cell + gridSize; at += chunk) {
        const piece = { first: Math.max(at, subnet.first), last: Math.min(at + chunk - 1, subnet.last) };
        const isFree = (ip: Ip4) => slots[ip - cell] === undefined;
        if (!some(isFree, Math.max(piece.first, first), Math.min(piece.last, last))) continue;
        if (some((ip) => !isFree(ip), piece.first, piece.last)) partial.push(piece);
        else yield piece;
      }
    }
    yield* partial;
  }
}

function some(test: (ip: Ip4) => boolean, first: Ip4, last: Ip4): boolean {
  for (let ip = first; ip <= last; ip++) if (test(ip)) return true;
  return false;
}
