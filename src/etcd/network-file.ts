import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { writePrivate } from './files.ts';

const schema = v.object({
  /** null: this host gives no addresses */
  range: v.nullable(v.string()),
  domain: v.string(),
  /** null: what goes between hosts is not encrypted */
  password: v.nullable(v.string()),
  /** whoever reaches the port may join */
  open: v.boolean(),
});

/** What all hosts of a managed cluster share, and a launch without flags goes on with. */
export type NetworkFile = v.InferOutput<typeof schema>;

const pathOf = (folder: string) => join(folder, 'network.json');

/** @returns undefined: this host is in no managed cluster @throws WeaveError STATE_CORRUPT */
export async function readNetworkFile(folder: string): Promise<NetworkFile | undefined> {
  let text: string;
  try {
    text = await readFile(pathOf(folder), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    const advice = "join the cluster again after 'weavets reset'";
    throw new WeaveError(
      'STATE_CORRUPT',
      `${pathOf(folder)} makes no sense (${messageOf(cause)}); ${advice}`,
      {
        cause,
      },
    );
  }
}

export const writeNetworkFile = (folder: string, file: NetworkFile) =>
  writePrivate(pathOf(folder), `${JSON.stringify(file, null, 2)}\n`);
