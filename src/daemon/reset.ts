import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../lib/errors.ts';
import { paths } from '../model/paths.ts';
import { removeBridge } from '../net/bridge.ts';
import { removeRules } from '../net/firewall.ts';
import { IpBatch } from '../net/ip.ts';
import { removeDatapath } from '../net/overlay/datapath.ts';

/**
 * Takes away all that weavets made on this host: bridge, veths, rules and chains, state. The daemon must have ended.
 * @returns what could not be taken away, and why
 */
export async function resetHost(): Promise<string[]> {
  const ip = new IpBatch();
  const steps = [
    () => removeDatapath(),
    () => removeBridge(ip),
    () => removeRules(),
    () => removeFolder(paths.state),
    () => removeFolder(paths.run),
    () => removeLogs(),
  ];
  const warnings: string[] = [];
  for (const step of steps) {
    await step().catch((error: unknown) => warnings.push(messageOf(error)));
  }
  ip.close();
  return warnings;
}

/** The log, and those that were put aside. */
async function removeLogs(): Promise<void> {
  const folder = dirname(paths.log);
  for (const name of await readdir(folder)) {
    if (/^\.\d+$|^$/.test(name.slice(basename(paths.log).length)) && name.startsWith(basename(paths.log)))
      await rm(join(folder, name), { force: true });
  }
}

/** The folder itself may be a mount, as it is where the daemon runs in a container; then it stays, empty. */
async function removeFolder(path: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  for (const name of names) await rm(join(path, name), { recursive: true, force: true });
  await rmdir(path).catch(() => {});
}
