import * as v from 'valibot';
import { etcdFiles, readJson, writeJson } from './files.ts';

const schema = v.object({
  /** null: this host gives no addresses */
  range: v.nullable(v.string()),
  domain: v.string(),
  /** null: traffic between hosts is not encrypted */
  password: v.nullable(v.string()),
  /** whoever reaches the port may join */
  open: v.boolean(),
  /** the store from which the cluster was moved here, as this host was launched with it */
  from: v.optional(v.string()),
});

/** What all hosts of a managed cluster share, and a launch without flags uses. */
export type NetworkFile = v.InferOutput<typeof schema>;

/** @returns undefined: this host is in no managed cluster @throws WeaveError STATE_CORRUPT */
export const readNetworkFile = (folder: string): Promise<NetworkFile | undefined> =>
  readJson(etcdFiles(folder).network, schema, "join the cluster again after 'weavets reset'");

export const writeNetworkFile = (folder: string, file: NetworkFile) =>
  writeJson(etcdFiles(folder).network, file);
