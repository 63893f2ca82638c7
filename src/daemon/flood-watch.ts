import type { Conditions } from '../model/conditions.ts';

/** What {@link FloodWatch} looks at. */
export interface FloodWatchDeps {
  /** packets to the name server that were dropped so far, as one address sent too many */
  dropped: () => number;
  /** addresses that are at the limit now */
  atLimit: () => readonly string[];
  /** of the container with this address */
  nameOf: (address: string) => string | undefined;
  conditions: Pick<Conditions, 'set' | 'clear'>;
}

/** ms without a loss after which a flood is over; shorter pauses are part of it, and not told of */
const calm = 60_000;
/** Sources that are named. */
const most = 5;

/** Makes a condition of a flood of queries, of which the firewall drops what is too much: once, however long it lasts. */
export class FloodWatch {
  readonly #deps: FloodWatchDeps;
  readonly #sources = new Set<string>();
  #dropped = 0;
  #last = Number.NEGATIVE_INFINITY;

  constructor(deps: FloodWatchDeps) {
    this.#deps = deps;
  }

  /** @param now ms */
  look(now = performance.now()): void {
    const { dropped, atLimit, nameOf, conditions } = this.#deps;
    const before = this.#dropped;
    this.#dropped = dropped();
    if (this.#dropped === before) {
      if (now - this.#last < calm) return;
      this.#sources.clear();
      return conditions.clear('DNS_FLOODED');
    }
    this.#last = now;
    for (const address of atLimit()) {
      const name = nameOf(address);
      if (this.#sources.size < most)
        this.#sources.add(name === undefined ? address : `container ${name} (${address})`);
    }
    const who = [...this.#sources].join(', ') || 'one address';
    conditions.set(
      'DNS_FLOODED',
      `more than a thousand queries a second reach the name server from ${who}; the rest of them is dropped, and others are answered as ever; see what it asks for, with 'tcpdump -ni any port 53'`,
    );
  }
}
