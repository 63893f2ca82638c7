import * as v from 'valibot';
import { etcdFiles, readJson, writeJson } from './files.ts';

const schema = v.object({
  /** of the cluster; its authority is named by it */
  id: v.pipe(v.string(), v.minLength(1)),
  /** `address:port` of the voters, as this host last knew them */
  endpoints: v.pipe(v.array(v.pipe(v.string(), v.regex(/^\S+:\d+$/))), v.minLength(1)),
});

/** What a host of a managed cluster knows of it before it has reached any other. */
export type ClusterFile = v.InferOutput<typeof schema>;

/** @returns undefined: this host is in no managed cluster @throws WeaveError STATE_CORRUPT */
export const readClusterFile = (folder: string): Promise<ClusterFile | undefined> =>
  readJson(
    etcdFiles(folder).cluster,
    schema,
    'write the endpoints of the voters back into it, or join the cluster again',
  );

export const writeClusterFile = (folder: string, file: ClusterFile) =>
  writeJson(etcdFiles(folder).cluster, file);
