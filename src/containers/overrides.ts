import type { Logger } from '../lib/log.ts';
import type { Cidr } from '../model/address.ts';
import { overrideRecord } from '../store/records/override.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';
import type { AttachChoice } from './attachments.ts';

/** What `attach` and `detach` changed about a container. */
export interface Override {
  /** empty: detached */
  cidrs: readonly Cidr[];
  /** how it was attached; undefined: by the daemon's flags */
  choice?: AttachChoice;
  /** pid in the run that it was detached in */
  run?: number;
}

/**
 * Containers changed by `attach` and `detach`, which overrides WEAVE_CIDR, and survives restarts; of one that a shim
 * holds up until it is attached, all but that it was detached altogether.
 */
export class Overrides {
  readonly #store: Store;
  readonly #overrides: Map<string, Override>;

  private constructor(store: Store, overrides: Map<string, Override>) {
    this.#store = store;
    this.#overrides = overrides;
  }

  static async load(store: Store, logger: Logger): Promise<Overrides> {
    const reader = new RecordReader(overrideRecord, logger);
    const records = reader.readAll(await store.list(overrideRecord.prefix));
    return new Overrides(store, new Map(records.map(({ key, value }) => [key, value])));
  }

  /** undefined: WEAVE_CIDR applies */
  get(id: string): Override | undefined {
    return this.#overrides.get(id);
  }

  owners(): string[] {
    return [...this.#overrides.keys()];
  }

  async set(id: string, override: Override): Promise<void> {
    await this.#store.commit([overrideRecord.write(id, override)]);
    this.#overrides.set(id, override);
  }

  async delete(id: string): Promise<void> {
    if (!this.#overrides.delete(id)) return;
    await this.#store.commit([overrideRecord.write(id, null)]);
  }
}
