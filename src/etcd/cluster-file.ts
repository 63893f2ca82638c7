import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { etcdFiles, writePrivate } from './files.ts';

const schema = v.object({
  /** of the cluster; its authority is named by it */
  id: v.pipe(v.string(), v.minLength(1)),
  /** `address:port` of the voters, as this host last knew them */
  endpoints: v.pipe(v.array(v.pipe(v.string(), v.regex(/^\S+:\d+$/))), v.minLength(1)),
});

/** What a host of a managed cluster knows of it before it has reached any other. */
export type ClusterFile = v.InferOutput<typeof schema>;

/** @returns undefined: this host is in no managed cluster @throws WeaveError STATE_CORRUPT */
export async function readClusterFile(folder: string): Promise<ClusterFile | undefined> {
  const path = etcdFiles(folder).cluster;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    const advice = 'write the endpoints of the voters back into it, or join the cluster again';
    throw new WeaveError('STATE_CORRUPT', `${path} makes no sense (${messageOf(cause)}); ${advice}`, {
      cause,
    });
  }
}

export const writeClusterFile = (folder: string, file: ClusterFile) =>
  writePrivate(etcdFiles(folder).cluster, `${JSON.stringify(file, null, 2)}\n`);
