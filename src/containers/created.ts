import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Created } from '../model/created.ts';
import { createdRecord } from '../store/records/created.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';

/** What containers were to be, in the local store as long as they exist. What is being written is known already. */
export class CreatedStore {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #reader: RecordReader<string, Created>;
  readonly #unwritten = new Map<string, Created>();

  constructor(store: Store, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
    this.#reader = new RecordReader(createdRecord, logger);
  }

  async get(id: string): Promise<Created | undefined> {
    const unwritten = this.#unwritten.get(id);
    if (unwritten) return unwritten;
    const entry = await this.#store.get(createdRecord.keyOf(id));
    return entry && this.#reader.read(entry)?.value;
  }

  put(id: string, created: Created): void {
    this.#unwritten.set(id, created);
    const forget = () => {
      if (this.#unwritten.get(id) === created) this.#unwritten.delete(id);
    };
    this.#store.commit([createdRecord.write(id, created)]).then(forget, (error: unknown) => {
      forget();
      // Inspect then tells what was added by its form.
      const reason = messageOf(error);
      this.#logger.warn({ container: id.slice(0, 12), reason }, 'cannot keep what a container was to be');
    });
  }

  /** The container is gone. */
  async delete(id: string): Promise<void> {
    this.#unwritten.delete(id);
    if ((await this.#store.get(createdRecord.keyOf(id))) === undefined) return;
    await this.#store.commit([createdRecord.write(id, null)]);
  }

  /** Ids of all containers with a record. */
  async owners(): Promise<string[]> {
    const entries = await this.#store.list(createdRecord.prefix);
    return entries.flatMap(({ key }) => createdRecord.parseKey(key) ?? []);
  }
}
