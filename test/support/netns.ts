import { existsSync } from 'node:fs';
import { run } from '../../src/lib/exec.ts';
import { until } from './until.ts';

/** Deletes a network namespace's name; one that another process is just looking at is busy for a moment. */
export async function deleteNetns(name: string): Promise<void> {
  await until(`the network namespace ${name} is deleted`, async () => {
    await run(['ip', 'netns', 'del', name]);
    return !existsSync(`/run/netns/${name}`);
  });
}
