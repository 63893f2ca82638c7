import * as v from 'valibot';
import { asRead, type Entry, type Write } from '../store.ts';

/** One record, typed. */
export interface StoredRecord<Key, Value> {
  key: Key;
  value: Value;
  /** at which it was last written */
  revision: number;
}

/** How to make a {@link RecordKind}. */
export interface RecordKindOptions<Key, Value> {
  /** what all its keys begin with, such as `addr/` */
  prefix: string;
  /** of the rest of the key */
  key: v.GenericSchema<string, Key>;
  /** of the parsed JSON */
  value: v.GenericSchema<unknown, Value>;
}

/**
 * One kind of record in a store: its prefix and its schema. Its values are JSON. Whatever comes
 * from a store is parsed by one of these before anything else sees it; the types are those of the schemas.
 */
export class RecordKind<Key, Value> {
  readonly prefix: string;
  readonly #key: v.GenericSchema<string, Key>;
  readonly #value: v.GenericSchema<unknown, Value>;

  constructor({ prefix, key, value }: RecordKindOptions<Key, Value>) {
    this.prefix = prefix;
    this.#key = key;
    this.#value = value;
  }

  keyOf(key: Key): string {
    return `${this.prefix}${key}`;
  }

  /** The key's own part, typed; undefined: no key of this kind. */
  parseKey(key: string): Key | undefined {
    if (!key.startsWith(this.prefix)) return undefined;
    const parsed = v.safeParse(this.#key, key.slice(this.prefix.length));
    return parsed.success ? parsed.output : undefined;
  }

  /** The text that stands for a value. */
  format(value: Value): string {
    return JSON.stringify(value);
  }

  /** The write that puts a value; null deletes. */
  write(key: Key, value: Value | null, more: Pick<Write, 'expect' | 'leased'> = {}): Write {
    return { key: this.keyOf(key), value: value === null ? null : this.format(value), ...more };
  }

  /** Changes a record that other hosts write, too: fields of a later version, unknown here, stay. */
  amend(entry: Entry, value: Value): Write {
    const changed = { ...JSON.parse(entry.value), ...JSON.parse(this.format(value)) };
    return { key: entry.key, value: JSON.stringify(changed), ...asRead(entry) };
  }

  /** @returns what is wrong with it, if it is no record of this kind */
  parse(entry: Pick<Entry, 'key' | 'value'>): { key: Key; value: Value } | string {
    const key = this.parseKey(entry.key);
    if (key === undefined) return 'malformed key';
    let json: unknown;
    try {
      json = JSON.parse(entry.value);
    } catch {
      return 'the value is not JSON';
    }
    const parsed = v.safeParse(this.#value, json);
    if (parsed.success) return { key, value: parsed.output };
    const [{ message, path }] = parsed.issues;
    const at = path?.map((item) => String(item.key)).join('.');
    return at ? `${at}: ${message}` : message;
  }
}
