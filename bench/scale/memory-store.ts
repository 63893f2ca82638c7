import { changesOf, type Entry, type Store, type Watcher, type Write } from '../../src/store/store.ts';

/** The local store of a simulated host, of which there are a thousand in a process: nothing on disk. */
export class MemoryStore implements Store {
  readonly #rows = new Map<string, Entry>();
  #revision = 0;

  async get(key: string): Promise<Entry | undefined> {
    return this.#rows.get(key);
  }

  async list(prefix: string): Promise<Entry[]> {
    return [...this.#rows.values()].filter(({ key }) => key.startsWith(prefix));
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    const met = ({ key, expect }: Write) =>
      expect === undefined || (this.#rows.get(key)?.revision ?? 0) === expect;
    if (!writes.every(met)) return false;
    const revision = ++this.#revision;
    for (const { key, value } of changesOf(writes)) {
      if (value === null) this.#rows.delete(key);
      else this.#rows.set(key, { key, value, revision });
    }
    return true;
  }

  async watch(prefix: string, watcher: Watcher): Promise<void> {
    watcher.reset(await this.list(prefix));
  }

  async close(): Promise<void> {}
}
