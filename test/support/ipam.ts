import { Allocator } from '../../src/ipam/allocator.ts';
import { silent } from '../../src/lib/log.ts';

/** An allocator whose default subnet is the whole range. */
export const loadAllocator = (
  options: Omit<Parameters<typeof Allocator.load>[0], 'defaultSubnet' | 'logger'>,
) => Allocator.load({ ...options, defaultSubnet: options.range, logger: silent });
