import { Cidr } from '../lib/cidr.ts';
import type { Store } from '../store/store.ts';

const keyOf = (id: string) => `override/${id}`;

/** Addresses of containers that `attach` and `detach` changed; they hold over restarts, instead of WEAVE_CIDR. */
export class Overrides {
  readonly #store: Store;
  readonly #cidrs: Map<string, Cidr[]>;

  private constructor(store: Store, cidrs: Map<string, Cidr[]>) {
    this.#store = store;
    this.#cidrs = cidrs;
  }

  static async load(store: Store): Promise<Overrides> {
    const entries = await store.list('override/');
    return new Overrides(
      store,
      new Map(
        entries.map(({ key, value }) => [
          key.slice('override/'.length),
          (JSON.parse(value) as string[]).map((cidr) => Cidr.parse(cidr)),
        ]),
      ),
    );
  }

  /** undefined: as WEAVE_CIDR says; empty: detached */
  get(id: string): readonly Cidr[] | undefined {
    return this.#cidrs.get(id);
  }

  owners(): string[] {
    return [...this.#cidrs.keys()];
  }

  async set(id: string, cidrs: Cidr[]): Promise<void> {
    await this.#store.commit([{ key: keyOf(id), value: JSON.stringify(cidrs) }]);
    this.#cidrs.set(id, cidrs);
  }

  async delete(id: string): Promise<void> {
    if (!this.#cidrs.delete(id)) return;
    await this.#store.commit([{ key: keyOf(id), value: null }]);
  }
}
