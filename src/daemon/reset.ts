import { rm } from 'node:fs/promises';
import { paths } from '../control/contract.ts';
import { messageOf } from '../lib/errors.ts';
import { removeBridge } from '../net/bridge.ts';
import { removeRules } from '../net/firewall.ts';
import { IpBatch } from '../net/ip.ts';

/**
 * Takes away all that weavets made on this host: bridge, veths, rules and chains, state. The daemon must have ended.
 * @returns what could not be taken away, and why
 */
export async function resetHost(): Promise<string[]> {
  const ip = new IpBatch();
  const steps = [
    () => removeBridge(ip),
    () => removeRules(),
    () => rm(paths.state, { recursive: true, force: true }),
    () => rm(paths.run, { recursive: true, force: true }),
    () => rm(paths.log, { force: true }),
  ];
  const warnings: string[] = [];
  for (const step of steps) {
    await step().catch((error: unknown) => warnings.push(messageOf(error)));
  }
  ip.close();
  return warnings;
}
