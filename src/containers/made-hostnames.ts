import type { Logger } from '../lib/log.ts';
import { madeHostnameRecord } from '../store/records/made-hostname.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { LocalStore } from '../store/store.ts';

/** The hostnames derived from containers' names, kept while the containers exist: users did not give them. */
export class MadeHostnames {
  readonly #store: LocalStore;
  readonly #made: Map<string, string>;

  private constructor(store: LocalStore, made: Map<string, string>) {
    this.#store = store;
    this.#made = made;
  }

  static async load(store: LocalStore, logger: Logger): Promise<MadeHostnames> {
    const reader = new RecordReader(madeHostnameRecord, logger);
    const records = reader.readAll(await store.list(madeHostnameRecord.prefix));
    return new MadeHostnames(store, new Map(records.map(({ key, value }) => [key, value.hostname])));
  }

  get(id: string): string | undefined {
    return this.#made.get(id);
  }

  owners(): string[] {
    return [...this.#made.keys()];
  }

  async keep(id: string, hostname: string): Promise<void> {
    this.#made.set(id, hostname);
    await this.#store.commitSoon([madeHostnameRecord.write(id, { hostname })]);
  }

  async delete(id: string): Promise<void> {
    if (this.#made.delete(id)) await this.#store.commit([madeHostnameRecord.write(id, null)]);
  }
}
