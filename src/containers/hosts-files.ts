import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { hostsRecord } from '../store/records/hosts.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import type { Store } from '../store/store.ts';
import { editHosts, type HostsWish } from './hosts-text.ts';

/** Files that are larger are no hosts files; the container itself can make its own as large as its disk. */
const largest = 1 << 20;
/** How often a write is begun anew because someone else wrote meanwhile. */
const attempts = 5;

/** Our lines in one container's file. */
interface Kept {
  path: string;
  lines: readonly string[];
}

/**
 * The hosts files of containers: the engine's own, which it mounts at /etc/hosts. Never opened through a container's
 * root, where any path can lead anywhere. The lines that are ours are kept, so that no other is ever taken away.
 */
export class HostsFiles {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #kept: Map<string, Kept>;

  private constructor(store: Store, logger: Logger, kept: Map<string, Kept>) {
    this.#store = store;
    this.#logger = logger;
    this.#kept = kept;
  }

  static async load(store: Store, logger: Logger): Promise<HostsFiles> {
    return new HostsFiles(store, logger, await keptIn(store, logger));
  }

  owners(): string[] {
    return [...this.#kept.keys()];
  }

  /**
   * Brings our lines of a container's file to what they should be. Synchronous, and some 50 us: nothing can come
   * between reading and writing but another process.
   * @throws when that can't be done, and says why
   */
  ensure(containerId: string, path: string, wish: HostsWish): void {
    const before = this.#kept.get(containerId)?.lines ?? [];
    withFile(containerId, path, (text) => {
      const edited = editHosts(text, before, wish);
      // Before the file: a line that is in it and not kept would be taken for someone else's.
      if (edited.lines.join('\n') !== before.join('\n'))
        this.#keep(containerId, { path, lines: edited.lines });
      return edited.text;
    });
  }

  /** Takes our lines out of a container's file. */
  remove(containerId: string): void {
    const kept = this.#kept.get(containerId);
    if (kept === undefined) return;
    removeLines(containerId, kept);
    this.forget(containerId);
  }

  /** The container ended: its file is written anew when it starts. */
  forget(containerId: string): void {
    if (this.#kept.delete(containerId)) this.#write(containerId, null);
  }

  #keep(containerId: string, kept: Kept): void {
    this.#kept.set(containerId, kept);
    this.#write(containerId, kept);
  }

  /** Not waited for: a container's start would wait for the disk. */
  #write(containerId: string, value: Kept | null): void {
    this.#store
      .commit([hostsRecord.write(containerId, value)])
      .catch((error: unknown) =>
        this.#logger.warn({ reason: messageOf(error) }, 'cannot keep which lines of a hosts file are ours'),
      );
  }
}

/** Takes our lines out of every file, when weavets leaves the host. */
export async function removeHostsLines(store: Store, logger: Logger): Promise<void> {
  for (const [containerId, kept] of await keptIn(store, logger)) {
    try {
      removeLines(containerId, kept);
    } catch {
      // The container is gone, and its file with it.
    }
  }
}

async function keptIn(store: Store, logger: Logger): Promise<Map<string, Kept>> {
  const records = new RecordReader(hostsRecord, logger).readAll(await store.list(hostsRecord.prefix));
  return new Map(records.map(({ key, value }) => [key, value]));
}

function removeLines(containerId: string, { path, lines }: Kept): void {
  const nothing = { hostname: '', called: '', domain: '', addresses: [], extraHosts: [], addHosts: [] };
  withFile(containerId, path, (text) => editHosts(text, lines, nothing).text);
}

/**
 * Rewrites a hosts file in place, as it is a mount. The container may do to the file what its owner may, though not
 * replace it: it is opened without waiting (a FIFO, a lease) and only if it is a regular file in the container's folder.
 */
function withFile(containerId: string, path: string, edit: (text: string) => string): void {
  if (!path.includes(`/${containerId}/`)) {
    throw new Error(`${path || 'its path is unknown, or'} is not the engine's own`);
  }
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const { size, mtimeNs } = check(fd);
      const before = read(fd, Number(size));
      const after = Buffer.from(edit(before.toString('latin1')), 'latin1');
      if (after.equals(before)) return;
      const now = fstatSync(fd, { bigint: true });
      if (now.size !== size || now.mtimeNs !== mtimeNs) continue;
      write(fd, before, after);
      return;
    }
  } catch (error) {
    throw new Error(`cannot write ${path}: ${messageOf(error)}`, { cause: error });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function check(fd: number) {
  const stat = fstatSync(fd, { bigint: true });
  if (!stat.isFile()) throw new Error('it is no regular file');
  if (stat.nlink !== 1n) throw new Error('it has another name elsewhere');
  if (stat.size > largest) throw new Error(`it is larger than ${largest} bytes`);
  return stat;
}

function read(fd: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  return buffer.subarray(0, readSync(fd, buffer, 0, size, 0));
}

/** Never empty, nor shorter than it was until the end: the container may read at any time. */
function write(fd: number, before: Buffer, after: Buffer): void {
  let same = 0;
  while (same < before.length && same < after.length && before[same] === after[same]) same++;
  for (let at = same; at < after.length; ) at += writeSync(fd, after, at, after.length - at, at);
  if (after.length < before.length) ftruncateSync(fd, after.length);
}
