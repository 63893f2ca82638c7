/** A key with its value and the revision at which it was last written (above 0, growing). */
export interface Entry {
  key: string;
  value: string;
  revision: number;
}

/** One write of a commit. */
export interface Write {
  key: string;
  /** null deletes; absent: the key is only compared */
  value?: string | null;
  /** the revision that the key must have for the commit to happen; 0: it must not exist; absent: whatever it is */
  expect?: number;
  /** the value that it must have, too: a store that was set back to an earlier state counts revisions anew */
  was?: string | undefined;
  /** goes when this host's lease ends; has no meaning in a store of one host */
  leased?: boolean;
}

/** What a write expects that is to happen only if the key is still as it was read. */
export function asRead(entry: Entry | undefined): Pick<Write, 'expect' | 'was'> {
  return { expect: entry?.revision ?? 0, was: entry?.value };
}

/** A write that changes something. */
export type Change = Write & { value: string | null };

/** The writes of a commit without those that only compare. */
export function changesOf(writes: readonly Write[]): Change[] {
  return writes.filter((write): write is Change => write.value !== undefined);
}

/** Who watches a prefix. */
export interface Watcher {
  /**
   * Everything under the prefix: at first, and after every gap in the stream.
   * @param continued true: the store has lost nothing that was told before, so what is missing has been deleted
   */
  reset(entries: Entry[], continued?: boolean): void;
  /** One change; `value` null is a deletion. */
  change(change: { key: string; value: string | null; revision: number }): void;
}

/**
 * Keeps keys in order and durably. One contract suite holds for all of its kinds.
 * Errors: WeaveError STORE_UNAVAILABLE when it can't be reached or written.
 */
export interface Store {
  get(key: string): Promise<Entry | undefined>;
  /** All entries under a prefix, by key. */
  list(prefix: string): Promise<Entry[]>;
  /** All of the writes, on disk when it resolves, or none: false when an expectation did not hold. */
  commit(writes: readonly Write[]): Promise<boolean>;
  /** Resolves when the first `reset` was given; ends with `signal`. */
  watch(prefix: string, watcher: Watcher, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A store of one host. */
export interface LocalStore extends Store {
  /**
   * As {@link Store.commit}, in the order of the calls of both, but with the next of those, or in a moment: for what
   * nobody waits for. Each write to the disk costs half a millisecond of the processor.
   */
  commitSoon(writes: readonly Write[]): Promise<boolean>;
}
