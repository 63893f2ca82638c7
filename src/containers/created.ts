import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Created } from '../model/created.ts';
import { createdRecord } from '../store/records/created.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { LocalStore } from '../store/store.ts';

/** How many removed ones are remembered. */
const mostGone = 1_000;

/** As the engine makes a hostname. */
const shortOf = (id: string) => id.slice(0, 12);

/** Records of requested containers, in the local store while they exist, known even while being written. */
export class CreatedStore {
  readonly #store: LocalStore;
  readonly #logger: Logger;
  readonly #reader: RecordReader<string, Created>;
  readonly #unwritten = new Map<string, Created>();
  /** of the last removed ones: an updater recreates a container after removing it */
  readonly #gone = new Set<string>();

  constructor(store: LocalStore, logger: Logger) {
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
    this.#store.commitSoon([createdRecord.write(id, created)]).then(forget, (error: unknown) => {
      forget();
      // Inspect then recognises our additions by their form.
      const reason = messageOf(error);
      this.#logger.warn({ container: id.slice(0, 12), reason }, 'cannot record how a container was created');
    });
  }

  /** The container is gone. */
  async delete(id: string): Promise<void> {
    const isUnwritten = this.#unwritten.delete(id);
    this.#gone.add(shortOf(id));
    for (const oldest of this.#gone) {
      if (this.#gone.size <= mostGone) break;
      this.#gone.delete(oldest);
    }
    if (!isUnwritten && (await this.#store.get(createdRecord.keyOf(id))) === undefined) return;
    await this.#store.commit([createdRecord.write(id, null)]);
  }

  /** True for a hostname that an engine derived from one of our containers' ids, and a client copied. */
  async isMadeOfId(hostname: string): Promise<boolean> {
    if (!/^[0-9a-f]{12}$/.test(hostname)) return false;
    if (this.#gone.has(hostname) || [...this.#unwritten.keys()].some((id) => shortOf(id) === hostname))
      return true;
    return (await this.#store.list(`${createdRecord.prefix}${hostname}`)).length > 0;
  }

  /** Ids of all containers with a record. */
  async owners(): Promise<string[]> {
    const entries = await this.#store.list(createdRecord.prefix);
    return entries.flatMap(({ key }) => createdRecord.parseKey(key) ?? []);
  }
}
