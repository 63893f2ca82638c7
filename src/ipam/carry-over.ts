import { hasCode, WeaveError } from '../lib/errors.ts';
import type { Allocator } from './allocator.ts';
import type { Blocks } from './blocks.ts';

/** Addresses that a message names; there may be thousands. */
const named = 10;

/**
 * Makes what is in use on this host its own in the cluster that it comes into. The addresses themselves stay in the
 * host's own store all the while, and each is claimed by a write of its own: after a crash it is done again, and comes
 * to the same end. What another host owns and does not use, that one is asked for.
 * @throws WeaveError CLUSTER_MISMATCH when an address is in use there, too; STORE_UNAVAILABLE
 */
export async function carryOver(blocks: Blocks, allocator: Allocator): Promise<void> {
  await blocks.attach(allocator);
  const taken: string[] = [];
  for (const { ip, address } of allocator.owners().flatMap((owner) => allocator.owned(owner))) {
    if (!allocator.range.contains(ip)) continue;
    await blocks.claim(ip).catch((error: unknown) => {
      if (!hasCode(error, 'IPAM_CONFLICT')) throw error;
      taken.push(address);
    });
  }
  if (taken.length === 0) return;
  const more = taken.length > named ? ' …' : '';
  throw new WeaveError(
    'CLUSTER_MISMATCH',
    `in use on this host, and other hosts' in the cluster: ${taken.slice(0, named).join(', ')}${more}; 'weavets ps' shows whose they are: remove those containers, or 'weavets detach' them, and try again`,
  );
}
