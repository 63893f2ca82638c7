import * as v from 'valibot';
import { cidr, hostname, ip, line, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const base64 = v.pipe(v.string(), v.base64());

const settings = v.object({
  /** null: no host gives addresses yet */
  range: v.nullable(cidr),
  /** of the names */
  domain: hostname,
  /** sealed with the password; null: the cluster is not encrypted */
  proof: v.nullable(base64),
  /** random, for deriving the key from the password */
  salt: base64,
});

/** What all hosts of a cluster share. */
export type Settings = v.InferOutput<typeof settings>;

/** `cluster/settings`: set by the first host, and gone with the last. */
export const settingsRecord = new RecordKind({
  prefix: 'cluster/',
  key: v.literal('settings'),
  value: settings,
});

const moved = v.object({
  moved: v.object({
    /** id and address of the host that moved it */
    by: word,
    host: ip,
    /** the store where it is now; null: an etcd that weavets runs */
    to: v.nullable(word),
    /** the settings, as they were */
    settings: line,
  }),
});

/** In place of the settings where the cluster was before it moved to another store: no host joins it there. */
export const movedRecord = new RecordKind({
  prefix: settingsRecord.prefix,
  key: v.literal('settings'),
  value: moved,
});
