import { WeaveError } from '../lib/errors.ts';
import type { Cidr, Ip4 } from '../model/address.ts';
import type { Range, Space } from './space.ts';

/**
 * The space of a host that may become part of a cluster while it runs: what holds now is asked. While it changes,
 * whoever wants an address waits.
 */
export class SwitchedSpace implements Space {
  #space: Space;
  /** ended by the next {@link use} */
  #changing: { over: Promise<void>; end: () => void } | undefined;

  constructor(space: Space) {
    this.#space = space;
  }

  /** From here on everyone waits, until {@link use}. */
  pause(): void {
    if (this.#changing) return;
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#changing = { over, end };
  }

  /** This holds from now on; undefined: what held before. */
  use(space: Space = this.#space): void {
    this.#space = space;
    this.#changing?.end();
    this.#changing = undefined;
  }

  ranges(subnet: Cidr): readonly Range[] {
    return this.#changing ? [] : this.#space.ranges(subnet);
  }

  async grow(subnet: Cidr): Promise<boolean> {
    if (!this.#changing) return this.#space.grow(subnet);
    await this.#changing.over;
    // Whoever asked looks again, and comes back if there is nothing.
    return true;
  }

  async claim(ip: Ip4): Promise<void> {
    await this.#changing?.over;
    return this.#space.claim(ip);
  }

  released(): void {
    this.#space.released();
  }
}

/** The space of a host that looks for its cluster: it can't know yet which addresses are its own to give. */
export function soughtSpace(targets: () => readonly string[]): Space {
  const nothing = () => {
    throw new WeaveError(
      'STORE_UNAVAILABLE',
      `this host looks for its cluster, and gives no addresses until one of ${targets().join(', ')} answers; 'weavets forget' of all of them makes it go alone`,
    );
  };
  return {
    ranges: () => [],
    grow: async () => nothing(),
    claim: async () => nothing(),
    released: () => {},
  };
}
