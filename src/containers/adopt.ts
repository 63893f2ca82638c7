import type { ContainerInfo } from '../docker/types.ts';
import type { Allocator } from '../ipam/allocator.ts';
import { messageOf } from '../lib/errors.ts';
import { eachOf } from '../lib/lock.ts';
import type { Logger } from '../lib/log.ts';
import type { Cidr } from '../model/address.ts';
import { isContainer } from '../model/owner.ts';
import { decide, type PolicyOptions } from '../model/policy.ts';
import { ethweAddresses, linkAddresses } from '../net/addresses.ts';
import { bridgeName } from '../net/bridge.ts';
import { dnsLinkAddress } from '../net/dns-link.ts';
import { vethPids } from '../net/veth.ts';
import { exposeRecord } from '../store/records/expose.ts';
import type { Store } from '../store/store.ts';
import { ContainerProcess } from './container-process.ts';
import { exposeOwner } from './exposer.ts';
import type { Overrides } from './overrides.ts';

/** What {@link adoptRunning} needs. */
export interface AdoptDeps {
  engine: {
    inspect(id: string): Promise<ContainerInfo | undefined>;
    list(options: { all: boolean }): Promise<{ id: string; running: boolean }[]>;
  };
  allocator: Pick<Allocator, 'adopt' | 'owned' | 'defaultSubnet'>;
  overrides: Pick<Overrides, 'get' | 'set'>;
  store: Store;
  policy: PolicyOptions;
  /** records of this host are known to be lost */
  damaged: boolean;
  logger: Logger;
}

/** Containers checked in parallel. */
const width = 8;

/**
 * Adopts addresses that running containers and the host have but this host's records lack: after a loss, or where an
 * older state was put back, they would be given to others. Runs before anything is allocated.
 */
export async function adoptRunning(deps: AdoptDeps): Promise<void> {
  const { engine, allocator, damaged, logger } = deps;
  if (damaged) await adoptExposed(deps);
  const attached = new Set(vethPids());
  if (attached.size === 0) return;
  const running = await engine.list({ all: false });
  const isRunning = new Set(running.map(({ id }) => id));
  // Two can't have it: what the records say of one that does not run was true once.
  const isGone = (owner: string) => isContainer(owner) && !isRunning.has(owner);
  const unknown = running.filter(({ id }) => damaged || allocator.owned(id).length === 0);
  await eachOf(unknown, width, async ({ id }) => {
    try {
      const info = await engine.inspect(id);
      if (info?.running && attached.has(info.pid)) await adoptContainer(info, isGone, deps);
    } catch (error) {
      logger.error(
        { container: id.slice(0, 12), reason: messageOf(error) },
        'cannot take over the addresses of a running container',
      );
    }
  });
}

async function adoptContainer(
  info: ContainerInfo,
  isGone: (owner: string) => boolean,
  deps: AdoptDeps,
): Promise<void> {
  const { allocator, overrides, damaged, logger } = deps;
  const process = ContainerProcess.open(info.pid, info.id);
  if (process === undefined) return;
  const cidrs = await ethweAddresses(process).finally(() => process.close());
  const adopted: Cidr[] = [];
  for (const cidr of cidrs) if (await allocator.adopt(info.id, cidr, isGone)) adopted.push(cidr);
  if (damaged && cidrs.length > 0 && !overrides.get(info.id) && !wouldGet(info, cidrs, deps)) {
    await overrides.set(info.id, { cidrs });
  }
  if (adopted.length > 0) {
    logger.warn(
      { container: info.id.slice(0, 12), cidrs: adopted },
      'took over the addresses of a running container',
    );
  }
}

/** True if the container would have these addresses without any changes by hand. */
function wouldGet(info: ContainerInfo, cidrs: readonly Cidr[], { policy, allocator }: AdoptDeps): boolean {
  if (info.shim === undefined) return false;
  const decision = decide(info, policy);
  if (!decision.attach || decision.requests.length !== cidrs.length) return false;
  return cidrs.every((cidr) =>
    decision.requests.some((request) => {
      if (request.kind === 'claim') return request.cidr.equals(cidr);
      const subnet = request.kind === 'subnet' ? request.subnet : allocator.defaultSubnet;
      return subnet.prefix === cidr.prefix && subnet.contains(cidr.ip);
    }),
  );
}

/** The host's own addresses; that traffic from them to the outside is masqueraded is what `expose` does unasked. */
async function adoptExposed({ allocator, store }: AdoptDeps): Promise<void> {
  for (const cidr of await linkAddresses(bridgeName)) {
    // Our name server's, which is not exposed.
    if (cidr.address === dnsLinkAddress) continue;
    await allocator.adopt(exposeOwner, cidr);
    const key = exposeRecord.keyOf(cidr);
    if (!(await store.get(key)))
      await store.commit([exposeRecord.write(cidr, { masquerade: true, hostsFile: false })]);
  }
}
