import type { Allocator } from '../ipam/allocator.ts';
import type { Cidr } from '../model/address.ts';
import type { AddressRequest } from '../model/request.ts';

/** Allocates what a container asks for, each address once: all or nothing. */
export async function takeAddresses(
  allocator: Allocator,
  id: string,
  requests: readonly AddressRequest[],
): Promise<Cidr[]> {
  const had = allocator.owned(id);
  const cidrs: Cidr[] = [];
  try {
    for (const request of requests) {
      const cidr = await allocator.request(id, request);
      if (!cidrs.some((other) => other.equals(cidr))) cidrs.push(cidr);
    }
    return cidrs;
  } catch (error) {
    await giveBack(allocator, id, { cidrs, had });
    throw error;
  }
}

/** Releases addresses, except those that the container had before. */
export async function giveBack(
  allocator: Allocator,
  id: string,
  { cidrs, had }: { cidrs: readonly Cidr[]; had: readonly Cidr[] },
): Promise<void> {
  const fresh = cidrs.filter((cidr) => !had.some(({ ip }) => ip === cidr.ip));
  for (const { ip } of fresh) await allocator.release(id, ip);
}
