import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { hostsRecord } from '../store/records/hosts.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { LocalStore, Store } from '../store/store.ts';
import { rewriteEngineFile } from './engine-file.ts';
import { editHosts, type HostsLines, type HostsWish } from './hosts-text.ts';

/** What one container's file has of us. */
interface Kept extends HostsLines {
  path: string;
}

/**
 * The hosts files of containers: the engine's own, which it mounts at /etc/hosts. Never opened through a container's
 * root, where any path can lead anywhere. The lines that are ours are kept, so that no other is ever taken away.
 */
export class HostsFiles {
  readonly #store: LocalStore;
  readonly #logger: Logger;
  readonly #kept: Map<string, Kept>;

  private constructor(store: LocalStore, logger: Logger, kept: Map<string, Kept>) {
    this.#store = store;
    this.#logger = logger;
    this.#kept = kept;
  }

  static async load(store: LocalStore, logger: Logger): Promise<HostsFiles> {
    return new HostsFiles(store, logger, await keptIn(store, logger));
  }

  owners(): string[] {
    return [...this.#kept.keys()];
  }

  /**
   * Updates our lines in a container's file. Synchronous, some 50 us: nothing can come
   * between reading and writing but another process.
   * @throws when that can't be done, and says why
   */
  ensure(containerId: string, path: string, wish: HostsWish): void {
    const before: HostsLines = this.#kept.get(containerId) ?? { lines: [] };
    rewriteEngineFile(containerId, path, (text) => {
      const { text: edited, ours } = editHosts(text, before, wish);
      // Before the file, and on the disk a moment later: an unrecorded line is known for ours only while it is the same.
      if (!isDeepStrictEqual(ours, { lines: before.lines, renamed: before.renamed }))
        this.#keep(containerId, { path, ...ours });
      return edited;
    });
  }

  /** Removes our lines from a container's file. */
  remove(containerId: string): void {
    const kept = this.#kept.get(containerId);
    if (kept === undefined) return;
    tryRemove(containerId, kept);
    this.forget(containerId);
  }

  /** The container ended: its file is rewritten when it starts. */
  forget(containerId: string): void {
    if (this.#kept.delete(containerId)) this.#write(containerId, null);
  }

  #keep(containerId: string, kept: Kept): void {
    this.#kept.set(containerId, kept);
    this.#write(containerId, kept);
  }

  /** Not awaited, and with the next commit: a container's start would wait for the disk. */
  #write(containerId: string, value: Kept | null): void {
    this.#store
      .commitSoon([hostsRecord.write(containerId, value)])
      .catch((error: unknown) =>
        this.#logger.warn({ reason: messageOf(error) }, 'cannot record which lines of a hosts file are ours'),
      );
  }
}

/** Removes our lines from every file, when weavets leaves the host. */
export async function removeHostsLines(store: Store, logger: Logger): Promise<void> {
  for (const [containerId, kept] of await keptIn(store, logger)) {
    tryRemove(containerId, kept);
  }
}

async function keptIn(store: Store, logger: Logger): Promise<Map<string, Kept>> {
  const records = new RecordReader(hostsRecord, logger).readAll(await store.list(hostsRecord.prefix));
  return new Map(records.map(({ key, value }) => [key, value]));
}

function tryRemove(containerId: string, { path, ...ours }: Kept): void {
  const nothing = { hostname: '', called: '', domain: '', addresses: [], extraHosts: [], addHosts: [] };
  try {
    rewriteEngineFile(containerId, path, (text) => editHosts(text, ours, nothing).text);
  } catch {
    // The container is gone, and its file with it; or it has made the file unwritable.
  }
}
