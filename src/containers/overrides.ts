import { Cidr } from '../model/address.ts';
import type { Store } from '../store/store.ts';
import type { AttachChoice } from './attachments.ts';

const keyOf = (id: string) => `override/${id}`;

/** What `attach` and `detach` made of a container. */
export interface Override {
  /** empty: detached */
  cidrs: readonly Cidr[];
  /** how it was attached; undefined: as the daemon's switches say */
  choice?: AttachChoice;
}

/** Containers that `attach` and `detach` changed; it holds over restarts, instead of WEAVE_CIDR. */
export class Overrides {
  readonly #store: Store;
  readonly #overrides: Map<string, Override>;

  private constructor(store: Store, overrides: Map<string, Override>) {
    this.#store = store;
    this.#overrides = overrides;
  }

  static async load(store: Store): Promise<Overrides> {
    const entries = await store.list('override/');
    return new Overrides(
      store,
      new Map(
        entries.map(({ key, value }) => {
          const { cidrs, choice } = JSON.parse(value) as { cidrs: string[]; choice?: AttachChoice };
          return [key.slice('override/'.length), { cidrs: cidrs.map((cidr) => Cidr.parse(cidr)), choice }];
        }),
      ),
    );
  }

  /** undefined: as WEAVE_CIDR says */
  get(id: string): Override | undefined {
    return this.#overrides.get(id);
  }

  owners(): string[] {
    return [...this.#overrides.keys()];
  }

  async set(id: string, override: Override): Promise<void> {
    await this.#store.commit([{ key: keyOf(id), value: JSON.stringify(override) }]);
    this.#overrides.set(id, override);
  }

  async delete(id: string): Promise<void> {
    if (!this.#overrides.delete(id)) return;
    await this.#store.commit([{ key: keyOf(id), value: null }]);
  }
}
